"""The guarantees of the standard dialect. An id is never used for another guarantee, also after it is gone.

Evidence: "proto" a comment or rule in the .proto files; "sdk" the Flyte SDK's code or a run of it; "hosted" clients of
the hosted plane; "oss" the open-source backend, read or run; "chosen" this project's own choice.
"""

from __future__ import annotations

from flyteapps_contract.catalogue.guarantee import Guarantee

GUARANTEES: tuple[Guarantee, ...] = (
    Guarantee(
        "ID-1",
        "An app is identified by org, project, domain and name, case-sensitive. An empty org means the plane's own, "
        "before validation; a returned app always carries one. Of another org nothing is found and nothing created.",
        ("sdk", "oss"),
    ),
    Guarantee(
        "ID-2",
        "A request that breaks a rule of its message is INVALID_ARGUMENT, names every offending field, carries "
        "buf.validate.Violations, and changes nothing.",
        ("proto",),
    ),
    Guarantee(
        "ID-3",
        "Rubbish, unknown fields, sizes, unknown methods, content types and gzip are answered as the wire's rules say; "
        "never with a crash, a hang or UNKNOWN.",
        ("chosen", "oss"),
    ),
    Guarantee("ID-4", "Every app that the plane returns is valid input for Update.", ("sdk",)),
    Guarantee("CR-1", "A new app is stored with revision 1; a status sent along is ignored.", ("proto", "sdk")),
    Guarantee("CR-2", "Creating an id that exists is ALREADY_EXISTS and changes nothing.", ("sdk",)),
    Guarantee(
        "CR-3",
        "The spec comes back as it was sent, save an ingress that was left out, and a creator that was; where callers "
        "need credentials, any creator (AU-7).",
        ("sdk", "proto"),
    ),
    Guarantee(
        "CR-4",
        "The first condition is UNASSIGNED for an app that should run, STOPPED for one that should not; a restart "
        "shows neither again.",
        ("proto", "sdk"),
    ),
    Guarantee("CR-5", "A deleted id can be created again and starts over at revision 1.", ("chosen",)),
    Guarantee(
        "CR-6",
        "A generated subdomain is one DNS label and is kept, as is the public URL, which names it in its host or in "
        "its path, or is http://localhost with a port of the app's own; a subdomain, which has to be one DNS label, or "
        "a cname, a DNS name, belongs to one app.",
        ("chosen",),
    ),
    Guarantee("GE-1", "Get by id gives the app as last written, or NOT_FOUND.", ("proto",)),
    Guarantee(
        "GE-2", "Get by ingress gives the app that its URL leads to, by host or by path, or NOT_FOUND.", ("proto",)
    ),
    Guarantee("GE-3", "A read that starts after a write was acknowledged sees it.", ("chosen",)),
    Guarantee("UP-1", "Updating an absent id is NOT_FOUND.", ("sdk",)),
    Guarantee(
        "UP-2",
        "An update raises the revision by 1, replaces spec, labels, code_bundle_uri and source_code, and keeps what "
        "the plane owns.",
        ("sdk", "proto"),
    ),
    Guarantee("UP-3", "A revision other than 0 and the stored one is ABORTED.", ("sdk", "hosted")),
    Guarantee("UP-4", "An update that would change nothing is ABORTED.", ("hosted",)),
    Guarantee(
        "UP-5", "An update appends the condition that both states ask for, the desired and the reached.", ("proto",)
    ),
    Guarantee("UP-6", "The reason of an update is in the message of its condition.", ("proto", "chosen")),
    Guarantee("UP-7", "A new revision cancels what was under way for older ones.", ("chosen",)),
    Guarantee(
        "LE-1",
        "A cluster is leased the apps that should run, have no cluster, and are of a pool that it serves or name it, "
        "by last_updated_at; a leased app is ASSIGNED (a restarted one keeps PENDING), and no other cluster's until "
        "the lease runs out: at lease_expiration it is over.",
        ("proto", "chosen"),
    ),
    Guarantee(
        "LE-2",
        "A lease that runs out gives the app back: UNASSIGNED; PENDING if it was restarted, STOPPED if it should stop.",
        ("proto",),
    ),
    Guarantee(
        "LE-3",
        "The holder's report of PENDING or later, in time and on the current revision, acknowledges the lease.",
        ("proto", "chosen"),
    ),
    Guarantee("LE-4", "Later changes of an assigned app reach its cluster through Watch(cluster_id).", ("proto",)),
    Guarantee("LE-5", "The report STOPPED releases the app.", ("proto",)),
    Guarantee(
        "LE-6", "A cluster at hand leases in the same instant as the write that makes leasable.", ("hosted", "sdk")
    ),
    Guarantee(
        "US-0",
        "Of an UpdateStatus are taken the last condition, current_replicas, k8s_metadata, materialized_inputs and "
        "vpc_url, from the cluster in its status.",
        ("chosen",),
    ),
    Guarantee(
        "US-1",
        "A report on another revision or condition is ABORTED; one that changes anything raises the counter by 1, one "
        "that changes nothing is no event.",
        ("proto",),
    ),
    Guarantee(
        "US-2",
        "Only moves of the state machine are taken, only of the holder, else FAILED_PRECONDITION; a substate that "
        "doesn't qualify its status is INVALID_ARGUMENT.",
        ("proto", "chosen"),
    ),
    Guarantee("US-3", "last_started_at is a revision's first ACTIVE; current_replicas are as reported.", ("proto",)),
    Guarantee(
        "US-4",
        "deployment_id is 16 hex digits of the SHA-256 of the spec without what no cluster sees.",
        ("proto", "chosen"),
    ),
    Guarantee("US-5", "The last 100 conditions are kept; the counter shows what was dropped.", ("chosen",)),
    Guarantee("US-6", "last_updated_at moves on Create and Update only.", ("proto",)),
    Guarantee("DE-1", "Deleting an absent id is NOT_FOUND.", ("sdk",)),
    Guarantee(
        "DE-2", "An app that should run is not deleted (FAILED_PRECONDITION), unless UNASSIGNED.", ("sdk", "chosen")
    ),
    Guarantee("DE-3", "A deleted app is gone, and nothing of it happens later.", ("chosen",)),
    Guarantee("LI-1", "List by org, cluster, project or consumed artifact.", ("proto",)),
    Guarantee(
        "LI-2",
        "Filters of List, all of them ANDed; what has no meaning is refused. Values are texts, not patterns; "
        "CONTAINS_CASE_INSENSITIVE compares after Unicode's full case folding (as str.casefold), all others as it is.",
        ("proto", "sdk", "chosen"),
    ),
    Guarantee(
        "LI-3", "Sort keys of List; texts order by code point, and the order is total.", ("proto", "sdk", "chosen")
    ),
    Guarantee("LI-4", "Pages of List: size, tokens, and what writes in between may do.", ("proto", "chosen")),
    Guarantee("LI-5", "include_total_count counts all matches.", ("proto",)),
    Guarantee("LI-6", "A page costs the page, not the plane.", ("chosen",)),
    Guarantee("LI-7", "disable_identity_enrichment leaves the ids of identities.", ("proto",)),
    Guarantee("WA-1", "A watch opens with one CreateEvent a matching app, by creation, then id.", ("oss",)),
    Guarantee("WA-2", "Only apps of the target appear.", ("proto",)),
    Guarantee("WA-3", "Every change of an app is one event, in order; none are merged.", ("chosen",)),
    Guarantee("WA-4", "No event arrives twice on one stream.", ("chosen",)),
    Guarantee("WA-5", "No event is missing; a consumer too far behind gets RESOURCE_EXHAUSTED.", ("chosen",)),
    Guarantee("WA-6", "old_app is the app of the event before.", ("proto",)),
    Guarantee("WA-7", "CreateEvent when the stream first shows an app, DeleteEvent with the last state.", ("proto",)),
    Guarantee("WA-8", "A new stream converges to the same state.", ("chosen",)),
    Guarantee("WA-9", "An absent app can be watched; a deletion doesn't end the stream.", ("oss",)),
    Guarantee("WA-10", "A client that left is freed; a plane that goes ends streams with UNAVAILABLE.", ("chosen",)),
    Guarantee(
        "SP-1",
        "An app starts with max(1, min) replicas, goes to zero only after its scaledown_period, stays within its "
        "bounds; contradicting bounds and bad quantities end in FAILED with WEBHOOK_ERROR.",
        ("sdk", "chosen"),
    ),
    Guarantee("SP-2", "Where no cluster serves its pool an app stays UNASSIGNED, with the reason.", ("chosen",)),
    Guarantee("SP-3", "What the plane makes nothing of is stored as sent; no default is written in.", ("proto",)),
    Guarantee("SP-4", "Inputs are never resolved; two of one name are INVALID_ARGUMENT.", ("proto",)),
    Guarantee("SP-5", "Images and secrets exist.", ("chosen",)),
    Guarantee(
        "LO-1",
        "Lines are live where replicas run, else those that were kept; where there can be none it is NOT_FOUND.",
        ("proto", "oss", "chosen"),
    ),
    Guarantee(
        "LO-2",
        "A log stream gives the replicas, the backlog, then what comes, and ends when the replicas change; after a "
        "reconnect the same lines come with the same times.",
        ("oss", "sdk"),
    ),
    Guarantee(
        "AU-1",
        "Where callers need credentials, a call of any RPC without them is UNAUTHENTICATED, and its error has nothing "
        "of the app. (AU-1 to AU-8 are judged on planes whose callers need credentials.)",
        ("sdk",),
    ),
    Guarantee(
        "AU-2",
        "A token that isn't as its issuer signed it is UNAUTHENTICATED: altered, without a signature, of the "
        "algorithm none.",
        ("chosen",),
    ),
    Guarantee(
        "AU-3",
        "An expired token is UNAUTHENTICATED; one that expires during a stream lets the stream go on.",
        ("sdk", "chosen"),
    ),
    Guarantee("AU-4", "A token for another audience, of another issuer or of its key is UNAUTHENTICATED.", ("chosen",)),
    Guarantee("AU-5", "A revoked token is UNAUTHENTICATED; its open streams end so within 2 seconds.", ("chosen",)),
    Guarantee(
        "AU-6", "Over HTTP a unary refusal for want of credentials is 401, with WWW-Authenticate: Bearer.", ("chosen",)
    ),
    Guarantee(
        "AU-7",
        "An app's creator and the actor of its conditions is the caller, whatever a request says.",
        ("sdk",),
    ),
    Guarantee(
        "AU-8",
        "A write without the right is PERMISSION_DENIED and names the caller's role; what a caller may not see is "
        "NOT_FOUND, and neither listed nor watched.",
        ("chosen",),
    ),
    Guarantee("HI-1", "Concurrent histories are linearizable.", ("chosen",)),
    Guarantee("HI-2", "Same seed, same requests, same times: byte-identical histories.", ("chosen",)),
)

BY_ID = {guarantee.id: guarantee for guarantee in GUARANTEES}
