// Writes the table of the types that encoding/json decodes a pod's spec into, for
// fake_server/flyteapps_fake/flyte_oss/building/pod_types.py. To renew it, with the version of k8s.io/api that the
// backend's go.mod names:
//
//	cd "$(mktemp -d)" && cp PROJECT/scripts/pod_types/main.go . && go mod init pod_types
//	go get k8s.io/api@v0.36.3 && go run . > PROJECT/fake_server/flyteapps_fake/flyte_oss/building/pod_types.py
package main

import (
	"fmt"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const head = `"""The types of a Kubernetes pod's spec, as Go's encoding/json decodes them: k8s.io/api v0.36.3, core/v1.PodSpec.

Written by scripts/pod_types/main.go, by reflection; do not edit. A line is a struct, then its fields in order: their
names in JSON with the types that Go's errors name; "+" is an embedded struct.
"""

STRUCTS = """
`

// leaves have decoders of their own.
var leaves = map[string]bool{"resource.Quantity": true, "intstr.IntOrString": true, "v1.Time": true, "v1.FieldsV1": true}

var seen = map[string]bool{}

func main() {
	fmt.Print(head)
	write(reflect.TypeFor[corev1.PodSpec]())
	fmt.Print("\"\"\"\n")
}

// write prints a struct, and those that its fields hold.
func write(t reflect.Type) {
	seen[t.Name()] = true
	words, inner := []string{t.Name()}, []reflect.Type{}
	for i := range t.NumField() {
		field := t.Field(i)
		of := field.Type
		for of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "" && field.Anonymous:
			words = append(words, "+"+of.Name())
		default:
			words = append(words, name+":"+of.String())
		}
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice || of.Kind() == reflect.Map {
			of = of.Elem()
		}
		if of.Kind() == reflect.Struct && !leaves[of.String()] {
			inner = append(inner, of)
		}
	}
	line := ""
	for _, word := range words {
		if len(line)+1+len(word) > 118 {
			fmt.Println(line)
			line = " "
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	fmt.Println(line)
	for _, each := range inner {
		if !seen[each.Name()] {
			write(each)
		}
	}
}
