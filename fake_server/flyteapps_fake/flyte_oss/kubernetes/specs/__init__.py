"""The service that the backend builds from a spec, and the rules by which Kubernetes and Knative refuse it.

Knative's rules are tables of rows (`Rule`), one module per part of the service; `spec_rules` applies them.
"""
