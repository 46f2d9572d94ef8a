"""The client guarantees: what any client of AppService owes its callers. An id is never used for another.

Evidence "sdk": the Flyte SDK was seen to break it, or relies on it; the other marks are those of the catalogue.
"""

from __future__ import annotations

from flyteapps_contract.catalogue.standard import Guarantee

CLIENT_GUARANTEES: tuple[Guarantee, ...] = (
    Guarantee(
        "CL-1",
        "A wait counts the snapshot: an app that reached its state before the watch opened ends it.",
        ("sdk",),
    ),
    Guarantee(
        "CL-2",
        "An old ACTIVE never ends a wait for a newer write: not one that a lagging plane still shows, not one that "
        "arrives late, not one of a plane without revisions.",
        ("sdk", "hosted", "oss"),
    ),
    Guarantee(
        "CL-3",
        "A stream that drops, wherever and however, neither ends a wait nor loses what happened meanwhile.",
        ("sdk",),
    ),
    Guarantee("CL-4", "FAILED ends a wait at once, with an error that names the app.", ("sdk", "chosen")),
    Guarantee("CL-5", "An old FAILED, from before the write, doesn't fail the wait.", ("hosted",)),
    Guarantee("CL-6", "An app that is deleted while it is waited for is an error, not a hang.", ("sdk", "chosen")),
    Guarantee("CL-7", "A wait has a deadline, which holds whatever the plane does.", ("sdk", "chosen")),
    Guarantee(
        "CL-8",
        "After an ephemeral context the app's desired state is STOPPED, wherever the app was at the beginning.",
        ("sdk",),
    ),
    Guarantee(
        "CL-9",
        "An ephemeral context raises the first error, that of its entry or its body, and stops the app all the same.",
        ("sdk",),
    ),
    Guarantee("CL-10", "Create on an existing app whose stored spec has no ingress updates it.", ("sdk",)),
    Guarantee("CL-11", "Create on an existing app without a change makes no new revision.", ("sdk",)),
    Guarantee("CL-12", "A redeploy keeps code_bundle_uri, source_code, labels and creator.", ("sdk",)),
    Guarantee(
        "CL-13",
        "Of racing replaces each ends well or with a conflict, and what is stored is one of them, whole.",
        ("chosen",),
    ),
    Guarantee("CL-14", "A Create whose response is lost is reported as the success that it was.", ("chosen",)),
    Guarantee(
        "CL-15",
        "An Update whose response is lost is reported as the success that it was, and is written once.",
        ("sdk",),
    ),
    Guarantee(
        "CL-16",
        "An update at a revision that the caller gave, and that isn't the stored one, is a conflict: it is reported, "
        "and not tried again.",
        ("chosen",),
    ),
    Guarantee("CL-17", "Deleting an absent app is no error.", ("sdk",)),
    Guarantee("CL-18", "Activating an app twice is no error.", ("sdk",)),
    Guarantee("CL-19", "A handle of before another writer's update stops the app.", ("sdk",)),
    Guarantee("CL-20", "Reads are tried again after UNAVAILABLE and RESOURCE_EXHAUSTED.", ("sdk", "chosen")),
    Guarantee("CL-21", "An error that the caller has to correct is reported at once, without a retry.", ("chosen",)),
    Guarantee("CL-22", "A wait that has ended leaves no stream open.", ("chosen",)),
    Guarantee("CL-23", "An app that is scaled to zero is active.", ("proto",)),
    Guarantee(
        "CL-24",
        "Credentials are got once for all calls that need them at once: the first of a client, and after a refusal.",
        ("chosen",),
    ),
    Guarantee(
        "CL-25",
        "A call that is refused for want of credentials is made once more, with others; no other call is, since a "
        "write may have been applied.",
        ("sdk", "chosen"),
    ),
    Guarantee("CL-26", "No error shows a credential.", ("chosen",)),
    Guarantee(
        "CL-27",
        "A list shows each app once, in the plane's order, whatever fails between its pages; one that can't go on is "
        "an error, and no shorter list.",
        ("sdk", "chosen"),
    ),
    Guarantee(
        "CL-28",
        "A deadline is one for the whole call: its attempts, the pauses between them and streams that drop share it.",
        ("chosen",),
    ),
    Guarantee(
        "CL-29",
        "A call that is cancelled ends so at once, and leaves nothing that goes on: no stream and no attempt.",
        ("chosen",),
    ),
)

CLIENT_GUARANTEE_BY_ID = {each.id: each for each in CLIENT_GUARANTEES}
