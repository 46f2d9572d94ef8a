"""The guarantees of the dialect `flyte-oss`: what the open-source Flyte 2 backend, version 2.0.43, does otherwise.

RESOURCE is an app's resource name: lower-case NAME-PROJECT-DOMAIN. Each row says by which steps of the recording it is
shown, what of it was seen in other runs (docs/recordings.md, "Runs without a recording", names their environments), and
what was only read in the source. An id is never used for another guarantee, also after it is gone.
"""

from __future__ import annotations

from flyteapps_contract.catalogue.flyte_oss_cluster import GUARANTEES as CLUSTER
from flyteapps_contract.catalogue.flyte_oss_histories import GUARANTEES as HISTORIES
from flyteapps_contract.catalogue.flyte_oss_paging import GUARANTEES as PAGING
from flyteapps_contract.catalogue.flyte_oss_specs import GUARANTEES as SPECS
from flyteapps_contract.catalogue.guarantee import FLYTE_OSS, Guarantee


def _row(id_: str, area: str, text: str, *steps: str, read: str = "", seen: str = "") -> Guarantee:
    return Guarantee(id_, text, ("oss",), FLYTE_OSS, area, steps, read, seen)


GUARANTEES: tuple[Guarantee, ...] = (
    _row(
        "OSS-1",
        "validation",
        "Create wants an identifier, a spec and a payload, Update, Get and Delete an identifier: INVALID_ARGUMENT "
        "without. No other rule of a message is checked; a cluster takes names whose parts (name, project, domain) "
        "have at most 63 bytes each.",
        "validation / create empty",
        "validation / create no *",
        "validation / create upper name",
        "validation / get empty*",
        "validation / update empty",
        "validation / update reason too long",
        "validation / delete empty",
        seen="F takes names of any length; K and K+W refuse a name or project over 63 bytes",
    ),
    _row(
        "OSS-2",
        "validation",
        "An update without a payload, and a pod without a pod_spec, are INTERNAL, `failed to build KService for app "
        "RESOURCE`; an update that stops needs no payload.",
        "validation / update no *",
        "validation / create pod without pod_spec",
        "update / stop needs no payload",
    ),
    _row(
        "OSS-3",
        "validation",
        "A bad resource quantity of a container is UNAVAILABLE, `unexpected EOF`: the inner one of the backend's two "
        "services panics.",
        "validation / bad quantity",
        read="that there are two, so that the caller's own connection is not cut",
    ),
    _row(
        "OSS-4",
        "ids",
        "Ids of one resource name are one app: those that differ in case, or in where their hyphens stand. The second "
        "replaces the first, and Get of the first gives the second.",
        "ids / hyphen *",
        "ids / get hyphen one",
        "ids / case *",
        "ids / get case two",
    ),
    _row(
        "OSS-5",
        "ids",
        "A resource name over 63 characters is its first 54, a hyphen, and 8 hex digits of the SHA-256 of "
        "PROJECT/DOMAIN/NAME in its own case.",
        "validation / create long name",
        "ids / name of *",
        "ids / long *",
    ),
    _row(
        "OSS-6",
        "ids",
        "The org is stored, but no part of the id: Get with another finds the app. An app without one comes back with "
        "org flyte.",
        "create / no org",
        "create / get no org",
        "create / get other org",
    ),
    _row(
        "OSS-7",
        "Create",
        "Create of an id that exists replaces the app; it is never ALREADY_EXISTS.",
        "create / again *",
        "ids / get * two",
    ),
    _row(
        "OSS-8",
        "Create",
        "Where the spec of an app with a container that isn't stopped is the stored one, Create and Update write "
        "nothing: a change of the org alone is lost, and there is no event. Another desired state is another spec.",
        "create / again same",
        "update / labels only",
        "update / started to active",
        "update / org only",
        "update / get after org only",
    ),
    _row(
        "OSS-9",
        "Create",
        "Create of a stopped app starts it, also with the spec that it has.",
        "update / create on stopped restarts",
        "update / wait u1 ACTIVE",
        "update / get restarted",
    ),
    _row(
        "OSS-10",
        "Create",
        "An app created as STOPPED runs, while its spec says STOPPED.",
        "create / create stopped",
        "create / wait c5 ACTIVE",
        "create / get created stopped",
    ),
    _row(
        "OSS-11",
        "Create",
        "Create gives the request back, labels and all, with a status that holds the ingress alone.",
        "create / new",
        "create / with status",
        "create / create stopped",
    ),
    _row(
        "OSS-12",
        "Get",
        "Get gives no revision and no labels; of an absent app it is NOT_FOUND, `KService RESOURCE not found`.",
        "create / get active",
        "create / get missing",
        "delete / get after",
    ),
    _row(
        "OSS-13",
        "Get",
        "Get by ingress is INVALID_ARGUMENT, `app_id is required`.",
        "validation / get by ingress",
    ),
    _row(
        "OSS-14",
        "Get",
        "What Get answered it answers again for up to 30 s, whatever the cluster reports meanwhile.",
        "stale / *",
        read="that it is 30 s; that an app is not kept while it should run and is shown as STOPPED",
    ),
    _row(
        "OSS-15",
        "Get",
        "Create, Update and Delete have Get forget exactly the project, domain and name that they were sent: an app "
        "that was deleted under another case can still be got. A Get that is on its way as the write ends may cache "
        "its old answer after that; List and Watch have the write.",
        "update / get *",
        "delete / get after",
        "ids / delete X1",
        "ids / get x1*",
        seen="F: after 1 of 300 updates beside a client that polls Get gave the app of before for 30 s; K: after none "
        "of 300",
        read="that Create and Delete have it forget, too",
    ),
    _row(
        "OSS-16",
        "Update",
        "An update of an absent app creates it; one that stops is NOT_FOUND.",
        "update / absent *",
    ),
    _row(
        "OSS-17",
        "Update",
        "No revision is checked and nothing is ABORTED; stopping again is OK. The response is the request, its "
        "revision as sent, with the status as it is.",
        "update / wrong revision",
        "update / same again",
        "update / stop",
        "update / stop again",
    ),
    _row(
        "OSS-18",
        "conflicts",
        "A Create or Update of an app that was written since it read it, by a client or by the cluster, is INTERNAL, "
        "`failed to update KService RESOURCE: Operation cannot be fulfilled`, and changes nothing; the next one is "
        "taken.",
        seen="K: 109 of 160 updates of one id by four threads at once; 39 beside stops",
    ),
    _row(
        "OSS-19",
        "UpdateStatus, Lease",
        "UpdateStatus and Lease are UNIMPLEMENTED.",
        "validation / updatestatus",
        "validation / lease",
    ),
    _row(
        "OSS-20",
        "Delete",
        "Delete of an absent app, and of one that runs, is OK; a deleted id can be created again.",
        "delete / absent",
        "delete / running",
        "delete / get after",
        "delete / recreate",
    ),
    _row(
        "OSS-21",
        "List",
        "List by org and by cluster is UNIMPLEMENTED; by project the organization doesn't count; by artifact, or by "
        "nothing, every app comes.",
        "validation / list *",
        "list / all of a project",
        "list / empty project",
        "list / no scope",
        "list / artifact scope",
        read="that the organization of a project doesn't count",
    ),
    _row(
        "OSS-22",
        "List",
        "Filters, sorting and include_total_count are ignored: all apps come, by resource name.",
        "list / * ignored",
        "list / total is not counted",
    ),
    *PAGING,
    _row(
        "OSS-24",
        "Watch",
        "Watch by org, project or cluster is UNIMPLEMENTED, `only app_id watch target is supported`; without a target "
        "it gives a CreateEvent of every app, and then nothing.",
        "watch_targets / * org",
        "watch_targets / * project",
        "watch_targets / * cluster",
        "watch_targets / * no target",
        "watch_targets / a new app meanwhile",
    ),
    _row(
        "OSS-25",
        "Watch",
        "After the snapshot a watch goes by the bare name: apps of that name in other projects appear, and a name in "
        "another case sees nothing.",
        "watch_targets / create b",
        "watch_targets / * same name, other project",
        "watch_targets / * other case",
        read="that events, too, don't reach a name in another case: the recorded one had none",
    ),
    _row(
        "OSS-26",
        "Watch",
        "A watch of an app that exists begins with its CreateEvent; no event after that is missing for one that reads, "
        "and some may come again.",
        "watch / close w1",
        read="that the snapshot is taken after subscribing, so that events may come again",
    ),
    _row(
        "OSS-27",
        "Watch",
        "An UpdateEvent has no old_app.",
        "watch / update",
        "watch / close w1",
    ),
    _row(
        "OSS-28",
        "Watch",
        "An absent app can be watched; a deletion is a DeleteEvent with the last state, and doesn't end the stream.",
        "watch / open w1",
        "watch / delete",
        "watch / recreate",
        "watch / close w1",
    ),
    _row(
        "OSS-29",
        "Watch",
        "A consumer that falls more than 100 events behind loses those that follow, without an error.",
        read="all of it",
    ),
    _row(
        "OSS-30",
        "status",
        "Conditions are what the cluster says now, not a history: configurations, the service, routes, in that order. "
        "First there are none, then PENDING (routes left out), DEPLOYING with what is ready, then all are ACTIVE.",
        "create / get active",
        "watch / close w1",
    ),
    _row(
        "OSS-31",
        "status",
        "After an update the conditions stay as they were until the cluster reports: an app looks ACTIVE for a spec "
        "that will fail.",
        "update / wrong revision",
        "update / get right after an update shows the old conditions",
        "watch / close w1",
    ),
    _row(
        "OSS-32",
        "status",
        "Where the service isn't ready the conditions are FAILED, with `REASON: MESSAGE`.",
        "failed / *",
    ),
    _row(
        "OSS-33",
        "status",
        "A stopped app shows one condition, STOPPED, `App scaled to zero`, stamped when it is read, and no ingress and "
        "no k8s_metadata.",
        "update / stop",
        "update / get stopped",
        "watch / close w1",
        read="that it is stamped when it is read",
    ),
    _row(
        "OSS-34",
        "ingress",
        "public_url is SCHEME://RESOURCE.BASE_DOMAIN[:PORT]; spec.ingress is stored as sent and has no effect on it.",
        "create / new",
        "create / with ingress",
        "ids / *",
        seen="the same on K+W, for names whose parts have at most 63 bytes each",
        read="that there is none without a base domain",
    ),
    _row(
        "OSS-35",
        "logs",
        "Logs of an app without replicas are NOT_FOUND, `no replicas found`; of an unknown replica the list comes, "
        "then NOT_FOUND; without a target, or a replica's name, INVALID_ARGUMENT.",
        "logs / absent app",
        "logs / no target",
        "logs / replica missing",
        "logs / replica without name",
    ),
    _row(
        "OSS-36",
        "logs",
        "A log stream gives the replicas, then the last 1,000 lines of each, at most 100 a batch, of originator USER.",
        "logs / app",
        read="that 1,000 lines are the most",
    ),
    _row(
        "OSS-37",
        "logs",
        "Of 100 log streams at once the next is RESOURCE_EXHAUSTED.",
        read="all of it",
    ),
    _row(
        "OSS-38",
        "wire",
        "An unknown method is HTTP 404, unknown JSON fields are ignored, a request has no limit of the backend's own, "
        "only the cluster's; Connect GET is answered on Get, and is 405 on Create.",
        "http / *",
        seen="F takes 6 MB; K refuses a spec from between 196,000 and 200,000 bytes on",
    ),
    *SPECS,
    _row(
        "OSS-39",
        "conflicts",
        "Of Creates of one absent id at once one is taken. Another that has read it as absent is INTERNAL, `failed to "
        'create KService RESOURCE: services.serving.knative.dev "RESOURCE" already exists`, and changes nothing.',
        seen="K: 103 of 160 creates of new ids by four threads at once, and 9 conflicts (OSS-18)",
    ),
    _row(
        "OSS-40",
        "conflicts",
        "A Create or Update whose app is deleted since it read it is INTERNAL, `failed to update KService RESOURCE: "
        'services.serving.knative.dev "RESOURCE" not found`, or `Operation cannot be fulfilled ...: StorageError: '
        "invalid object` where it was created anew by then, and changes nothing. An Update whose app is gone as it "
        "reads the status for its answer is NOT_FOUND.",
        seen="K: of 160 writes beside deletions `not found` 10 to 11, `already exists` 20 to 27, `invalid object` 1 "
        "to 2, NOT_FOUND 1 (F: 26)",
    ),
    _row(
        "OSS-41",
        "conflicts",
        "A stop is a patch, and neither it nor Delete has a condition: beside any other write of the app they are "
        "taken.",
        seen="K: all of those beside updates, and beside Creates and Updates",
    ),
    _row(
        "OSS-65",
        "Watch",
        "A Watch whose own deadline passes ends OK or with DEADLINE_EXCEEDED, at random; one that has shown no event "
        "ends OK or with INTERNAL, `deadline_exceeded: context deadline exceeded`.",
        seen="F: of 60 Watches each over gRPC 20 ended OK where the app was there, and 6 of 18 where it was absent; "
        "INTERNAL over Connect, too",
    ),
    _row(
        "OSS-66",
        "wire",
        "A message of Connect GET that is said to be base64 and isn't, and a unary body whose gzip data is cut, has a "
        "wrong checksum or a tail, are UNKNOWN, HTTP 500, `read message: ...`. A body that is said to be gzip and "
        "isn't is read as empty.",
        seen="F: all of it",
    ),
    _row(
        "OSS-67",
        "wire",
        "Where one message in a frame is expected, none or two are UNIMPLEMENTED; over Connect the flags 4 and 128 are "
        "INTERNAL, and the end of a stream alone is no message. An empty frame is an empty message in JSON, too.",
        seen="F: all of it",
        read="that a message may be followed by the end of its stream; the words about bodies that are cut",
    ),
    _row(
        "OSS-68",
        "wire",
        "A content type with a parameter is 415, save UTF-8 as the charset of JSON. Accept-Post of a 415 names the "
        "method's content types of all protocols.",
        seen="F: all of it",
    ),
    _row(
        "OSS-69",
        "wire",
        "Another version of Connect is INVALID_ARGUMENT; an empty compression or version counts as none; a negative "
        "Connect-Timeout-Ms is DEADLINE_EXCEEDED.",
        seen="F: connect=v2 of a GET, the empty ones, the timeout",
        read="Connect-Protocol-Version of a POST; an empty timeout",
    ),
    _row(
        "OSS-70",
        "wire",
        "Answers of any size are compressed by gzip for clients that accept it.",
        seen="F: that they are",
        read="that ends of streams are compressed, too",
    ),
    _row(
        "OSS-71",
        "wire",
        "OPTIONS on a method is 204.",
        seen="F: on every path, with headers that let pages of any origin call it",
    ),
    _row(
        "OSS-72",
        "wire",
        "GET /readyz is 200 with the text OK, and /healthz is 200.",
        seen="F: both have the text OK",
    ),
    _row(
        "OSS-76",
        "Create",
        "`spec.cluster`, which flyteidl2 has since 2.0.49, is stored with the spec and comes back; another one is "
        "another spec, and nothing else depends on it. In a JSON request it is an unknown field, which is dropped.",
        read="all of it: the field is unknown to the backend, which keeps the unknown fields of a binary spec",
    ),
    *CLUSTER,
    *HISTORIES,
)
