"""The guarantees: one entry each, with its evidence. An id names one guarantee for ever, also after it is gone.

Evidence: "proto" a comment or rule in the .proto files; "sdk" the Flyte SDK's code or a run of it; "hosted" clients of
the hosted plane; "oss" the open-source backend, read or run; "chosen" nobody says so, it is this project's choice.
"""

from __future__ import annotations

from dataclasses import dataclass

STANDARD = ("standard",)


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What a plane promises: `offered` is False for a room that does not exist yet, with the reason why."""

    id: str
    text: str
    evidence: tuple[str, ...]
    dialects: tuple[str, ...] = STANDARD
    reason: str = ""

    @property
    def offered(self) -> bool:
        """Whether checks of it exist."""
        return not self.reason


_LEASES = "Lease and UpdateStatus have no checks yet"
_SPEC = "what becomes of the spec has no checks yet"
_LOGS = "TailLogs has no checks yet"

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
        "The spec comes back as it was sent, save an ingress that was left out, and a creator that was.",
        ("sdk", "proto"),
    ),
    Guarantee(
        "CR-4",
        "The first condition is UNASSIGNED for an app that shall run, STOPPED for one that shall not; a restart shows "
        "neither again.",
        ("proto", "sdk"),
    ),
    Guarantee("CR-5", "A deleted id can be created again and starts over at revision 1.", ("chosen",)),
    Guarantee(
        "CR-6",
        "A generated subdomain is one DNS label and is kept; a subdomain or cname belongs to one app, and has to be a "
        "DNS name.",
        ("chosen",),
    ),
    Guarantee("GE-1", "Get by id gives the app as last written, or NOT_FOUND.", ("proto",)),
    Guarantee("GE-2", "Get by ingress gives the app that owns the URL, or NOT_FOUND.", ("proto",)),
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
    Guarantee("LE-1", "Which apps a cluster is leased, and how.", ("proto", "chosen")),
    Guarantee("LE-2", "A lease that runs out gives the app back.", ("proto",)),
    Guarantee("LE-3", "What acknowledges a lease.", ("proto", "chosen")),
    Guarantee("LE-4", "Changes of an assigned app reach its cluster.", ("proto",)),
    Guarantee("LE-5", "The report STOPPED releases the app.", ("proto",)),
    Guarantee("LE-6", "A cluster at hand leases in the same instant.", ("hosted", "sdk")),
    Guarantee("US-0", "What is taken of an UpdateStatus.", ("chosen",)),
    Guarantee("US-1", "Revision and counter of an UpdateStatus.", ("proto",)),
    Guarantee("US-2", "Only moves of the state machine are taken.", ("proto", "chosen")),
    Guarantee("US-3", "When last_started_at moves.", ("proto",)),
    Guarantee("US-4", "What deployment_id is.", ("proto", "chosen")),
    Guarantee("US-5", "How many conditions are kept.", ("chosen",)),
    Guarantee("US-6", "When last_updated_at moves.", ("proto",)),
    Guarantee("DE-1", "Deleting an absent id is NOT_FOUND.", ("sdk",)),
    Guarantee(
        "DE-2", "An app that shall run is not deleted (FAILED_PRECONDITION), unless UNASSIGNED.", ("sdk", "chosen")
    ),
    Guarantee("DE-3", "A deleted app is gone, and nothing of it happens later.", ("chosen",)),
    Guarantee("LI-1", "List by org, cluster, project or consumed artifact.", ("proto",)),
    Guarantee("LI-2", "Filters of List, all of them ANDed; what has no meaning is refused.", ("proto", "sdk")),
    Guarantee("LI-3", "Sort keys of List; the order is total.", ("proto", "sdk")),
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
    Guarantee("WA-7", "CreateEvent at first sight, DeleteEvent with the last state.", ("proto",)),
    Guarantee("WA-8", "A new stream converges to the same state.", ("chosen",)),
    Guarantee("WA-9", "An absent app can be watched; a deletion doesn't end the stream.", ("oss",)),
    Guarantee("WA-10", "A client that left is freed; a plane that goes ends streams with UNAVAILABLE.", ("chosen",)),
    Guarantee("SP-1", "Autoscaling.", ("sdk", "chosen"), reason=_SPEC),
    Guarantee("SP-2", "A pool that no cluster serves.", ("chosen",), reason=_SPEC),
    Guarantee("SP-3", "What is stored as sent.", ("proto",), reason=_SPEC),
    Guarantee("SP-4", "Inputs.", ("proto",), reason=_SPEC),
    Guarantee("SP-5", "Images and secrets exist.", ("chosen",), reason=_SPEC),
    Guarantee("LO-1", "Which logs there are.", ("proto", "oss", "chosen"), reason=_LOGS),
    Guarantee("LO-2", "How a log stream goes.", ("oss", "sdk"), reason=_LOGS),
    Guarantee("HI-1", "Concurrent histories are linearizable.", ("chosen",)),
    Guarantee("HI-2", "Same seed, same requests, same times: byte-identical histories.", ("chosen",)),
)

BY_ID = {guarantee.id: guarantee for guarantee in GUARANTEES}
