"""The rules for faults, and which of them a call gets: counted, drawn and limited, the same for the same seed.

A rule is a message of the control API. The table decides; the caller carries the effects out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from flyteapps_control.codes import code_name
from flyteapps_control.durations import MAX_SECONDS, SECOND
from flyteapps_control.selection import AppGlobs, Glob, Size, Subject, Totals, is_glob, rpcs_of
from flyteapps_control.v1.control_pb2 import Fault

ENDING = frozenset(("fail", "reset", "http"))
"""The effects that end a call: it has no further faults."""
OF_STREAMS = frozenset(("cut", "stall", "repeat", "withhold", "reorder"))
"""The effects on the messages of a stream."""
MAX_RULES = 10_000
MAX_HEADER_CHARACTERS = 16_384
"""Characters of the headers of an answer, names and values."""
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_FRAMING = frozenset(("content-length", "transfer-encoding"))
"""The headers that say where an answer ends."""


class Prepared:
    """A rule for a table: its globs are compiled, which takes long where there are thousands."""

    def __init__(self, fault: Fault) -> None:
        self.fault = copy_of(fault)
        self.size = Size.of(fault)
        self._app = AppGlobs(fault.app)
        self._caller = Glob(fault.caller)
        self._headers = [(name.lower(), Glob(value)) for name, value in sorted(fault.headers.items())]

    def selects(self, subject: Subject) -> bool:
        """Return whether the call is one of those that the rule is about."""
        if not (self._app.matches(subject.app) and self._caller.matches(subject.caller)):
            return False
        metadata = subject.metadata
        return all(name in metadata and glob.matches(metadata[name]) for name, glob in self._headers)


def prepare(faults: Iterable[Fault]) -> list[Prepared]:
    """Return the rules for a table. Raises ValueError for more than any table can have, before globs are compiled."""
    given = list(faults)
    if len(given) > MAX_RULES:
        raise ValueError(f"there can be at most {MAX_RULES:,} rules")
    Totals("rules").add(map(Size.of, given))
    return [Prepared(fault) for fault in given]


class RuleImage(NamedTuple):
    """A rule as it was at a moment. `fault`: encoded; `draws`: the state of its draws, None for a rule without any."""

    fault: bytes
    until: int | None
    draws: tuple[Any, ...] | None


class Rule:
    """A rule of the table, with its counts and its random numbers."""

    def __init__(self, prepared: Prepared, rpcs: frozenset[str], seed: str, now: int) -> None:
        self.fault = fault = prepared.fault
        self.selects = prepared.selects
        self.size = prepared.size
        self.number = int(fault.id[1:])
        self.rpcs = rpcs
        self.effect = str(fault.WhichOneof("effect"))
        self._attempts = fault.WhichOneof("attempts")
        self._until = now + fault.lifetime.ToNanoseconds() if fault.HasField("lifetime") else None
        self.random = random.Random(f"{seed}/{fault.id}")
        self.age = fault.stale.age.ToNanoseconds() if self.effect == "stale" else 0
        """The age of a stale read in nanoseconds; 0 for any other effect."""

    def image(self) -> RuleImage:
        """Return the rule as it is now."""
        fault = self.fault
        draws = self._attempts == "probability" or fault.delay.WhichOneof("distribution") in ("uniform", "log_normal")
        return RuleImage(fault.SerializeToString(), self._until, self.random.getstate() if draws else None)

    def go_on(self, image: RuleImage) -> None:
        """Continue where the rule was; its fault has the counts already."""
        self._until = image.until
        if image.draws is not None:
            self.random.setstate(image.draws)

    def applies(self, now: int) -> bool:
        """Count a call that the rule selects, and return whether it gets the fault."""
        fault = self.fault
        fault.matched += 1
        if self._until is not None and now >= self._until:
            return False
        if fault.times and fault.applied >= fault.times:
            return False
        match self._attempts:
            case "nth":
                chosen = fault.matched == fault.nth
            case "first":
                chosen = fault.matched <= fault.first
            case "every":
                chosen = fault.matched % fault.every == 0
            case "probability":
                chosen = self.random.random() < fault.probability
            case _:
                chosen = True
        fault.applied += chosen
        return chosen

    def draw_delay(self) -> int:
        """Return the nanoseconds of the rule's delay for one call, those of a hundred years at most."""
        delay = self.fault.delay
        match delay.WhichOneof("distribution"):
            case "uniform":
                return round(self.random.uniform(delay.uniform.min.ToNanoseconds(), delay.uniform.max.ToNanoseconds()))
            case "log_normal":
                drawn = self.random.lognormvariate(0, delay.log_normal.sigma)
                return round(min(delay.log_normal.median.ToNanoseconds() * drawn, MAX_SECONDS * SECOND))
            case _:
                return delay.fixed.ToNanoseconds()


class FaultTable:
    """The rules of one plane or one client. Not thread-safe.

    `known`: the RPCs that a rule can be about, SERVICE/METHOD each; `streaming`: those of them that are streams.
    `seed`: returns that of every draw. `now`: the time in nanoseconds, for the lifetime of rules. `refused`: the
    effects that no rule can have here, each with the reason. `limited`: the RPCs that a rule of some effects can be
    about, by the effect.
    """

    def __init__(
        self,
        known: Callable[[], Collection[str]],
        streaming: Collection[str],
        seed: Callable[[], str],
        now: Callable[[], int],
        refused: Mapping[str, str],
        limited: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> None:
        self._known = known
        self._streaming = frozenset(streaming)
        self._seed = seed
        self._now = now
        self._refused = refused
        self._limited = limited
        self._rules: dict[str, Rule] = {}
        self.by_rpc: dict[str, RulesOfRpc] = {}
        """The rules about each RPC that has any, SERVICE/METHOD."""
        self.last_id = 0
        """The number of the last id that was given."""
        self.on_touch: Callable[[str], None] | None = None
        """The function that is called with the id of each rule that is about to change."""
        self._totals = Totals("rules")

    def __len__(self) -> int:
        return len(self._rules)

    def __contains__(self, rule_id: str) -> bool:
        return rule_id in self._rules

    def add(self, faults: Iterable[Fault]) -> list[Fault]:
        """Add rules, all or none; return them with their ids. Raises ValueError."""
        return self.add_prepared(prepare(faults))

    def add_prepared(self, prepared: Iterable[Prepared]) -> list[Fault]:
        """Add rules as `add` does, whose globs are compiled already."""
        number, rules, seed = self.last_id, list[Rule](), self._seed()
        now = self._now()
        for each in prepared:
            number += 1
            own = each.fault
            own.id, own.matched, own.applied = f"f{number}", 0, 0
            rules.append(Rule(each, self._check(own), seed, now))
        if len(self._rules) + len(rules) > MAX_RULES:
            raise ValueError(f"there can be at most {MAX_RULES:,} rules: remove some")
        self._totals.add(rule.size for rule in rules)
        self._touch(rule.fault.id for rule in rules)
        self.last_id = number
        for rule in rules:
            self._rules[rule.fault.id] = rule
        self._index()
        return [copy_of(rule.fault) for rule in rules]

    def list(self) -> list[Fault]:
        """Return the rules as they are now, in the order in which they were added."""
        return [copy_of(rule.fault) for rule in self._rules.values()]

    def remove(self, ids: Sequence[str]) -> list[Fault]:
        """Remove these rules, or none if one of them doesn't exist; return them. Raises KeyError."""
        missing = [each for each in ids if each not in self._rules]
        if missing:
            raise KeyError(f"no rule has the id {missing[0]!r}")
        self._touch(ids)
        removed = [self._rules.pop(each) for each in dict.fromkeys(ids)]
        for rule in removed:
            self._totals.remove(rule.size)
        self._index()
        return [copy_of(rule.fault) for rule in removed]

    def clear(self) -> list[Fault]:
        """Remove all rules; return them."""
        return self.remove(list(self._rules))

    def ids(self) -> list[str]:
        """Return the ids of the rules, in order."""
        return [*self._rules]

    def image(self, rule_id: str) -> RuleImage | None:
        """Return a rule as it is now, None where there is none of that id."""
        rule = self._rules.get(rule_id)
        return rule.image() if rule is not None else None

    def check_image(self, image: RuleImage) -> None:
        """Raise ValueError for a rule that the table can't have."""
        self._made(image)

    def put(self, rule_id: str, image: RuleImage | None) -> None:
        """Replace a rule by an image; `settle` has to follow."""
        old = self._rules.pop(rule_id, None)
        if old is not None:
            self._totals.remove(old.size)
        if image is not None:
            self._rules[rule_id] = rule = self._made(image)
            self._totals.put(rule.size)

    def settle(self) -> None:
        """Go on from the rules that were put."""
        self._rules = dict(sorted(self._rules.items(), key=lambda each: each[1].number))
        self._index()

    def _made(self, image: RuleImage) -> Rule:
        prepared = Prepared(Fault.FromString(image.fault))
        rule = Rule(prepared, self._check(prepared.fault), self._seed(), 0)
        rule.go_on(image)
        return rule

    @property
    def age(self) -> int:
        """The highest age of a stale read, in nanoseconds; 0 without any."""
        return max((rule.age for rule in self._rules.values()), default=0)

    def decide(self, subject: Subject) -> list[Rule]:
        """Return the rules whose faults a call gets, in order; the last of them may end it."""
        chosen: list[Rule] = []
        rules = self.by_rpc.get(subject.rpc)
        now = self._now()
        for rule in rules.about(subject.app.name) if rules is not None else ():
            if not rule.selects(subject):
                continue
            if self.on_touch is not None:
                self.on_touch(rule.fault.id)
            if rule.applies(now):
                chosen.append(rule)
                if rule.effect in ENDING:
                    break
        return chosen

    def _touch(self, ids: Iterable[str]) -> None:
        if self.on_touch is not None:
            for each in ids:
                self.on_touch(each)

    def _check(self, fault: Fault) -> frozenset[str]:
        """Check what no rule of the messages says, and return the RPCs that the rule is about. Raises ValueError."""
        effect = fault.WhichOneof("effect")
        if effect is None:
            raise ValueError("a rule needs an effect, such as fail or delay")
        if effect in self._refused:
            raise ValueError(self._refused[effect])
        rpcs = rpcs_of(fault.rpc, self._known())
        if effect in OF_STREAMS:
            streams = rpcs & self._streaming
            if not streams:
                raise ValueError(f"{effect} is for streams, such as Watch, Lease and TailLogs: {fault.rpc} is none")
            rpcs = streams
        elif effect in self._limited:
            able = self._limited[effect]
            rpcs = rpcs.intersection(able)
            if not rpcs:
                names = " and ".join(each.rpartition("/")[2] for each in able)
                raise ValueError(f"{effect} is for {names} alone, and not for {fault.rpc}")
        if effect == "fail":
            fault.fail.code = code_name(fault.fail.code)
        elif effect == "cut" and fault.cut.code:
            fault.cut.code = code_name(fault.cut.code)
        elif effect == "delay" and fault.delay.HasField("uniform"):
            uniform = fault.delay.uniform
            if uniform.min.ToNanoseconds() > uniform.max.ToNanoseconds():
                raise ValueError("the delay's minimum is above its maximum")
        elif effect == "http":
            _check_answer(fault.http)
        for number in ("nth", "first", "every"):
            if fault.HasField(number) and getattr(fault, number) < 1:
                raise ValueError(f"{number} counts from 1, not from {getattr(fault, number)}")
        if fault.HasField("probability") and not 0 < fault.probability <= 1:
            raise ValueError(f"probability must be over 0 and at most 1, not {fault.probability!r}")
        if fault.times < 0:
            raise ValueError(f"times must not be negative: {fault.times}")
        return rpcs

    def _index(self) -> None:
        self.by_rpc = {}
        for rule in self._rules.values():
            for rpc in rule.rpcs:
                self.by_rpc.setdefault(rpc, RulesOfRpc()).add(rule)


def _check_answer(answer: Fault.HttpAnswer) -> None:
    """Raise ValueError for an answer that no server can send."""
    for name, value in sorted(answer.headers.items()):
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a header of HTTP")
        if name.lower() in _FRAMING:
            raise ValueError(f"the header {name} is up to the server, which sends the body as it is")
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"the header {name} can't be {value!r:.80}: it has characters of a line in Latin-1")
    size = sum(len(name) + len(value) for name, value in answer.headers.items())
    if size > MAX_HEADER_CHARACTERS:
        raise ValueError(f"headers have at most {MAX_HEADER_CHARACTERS:,} characters, and these {size:,}")
    if answer.body and answer.status in (204, 304):
        raise ValueError(f"an answer of HTTP {answer.status} has no body")


class RulesOfRpc:
    """The rules about one RPC, in order. Those about an app of a plain name are found by that name.

    A call can be selected if its app is in `named`, or if there are `others`: to be looked up before anything is made
    for it.
    """

    def __init__(self) -> None:
        self.named: dict[str, list[Rule]] = {}
        """The rules about apps of a plain name, by that name."""
        self.others: list[Rule] = []
        """The rules about calls of other apps, too, and of none."""

    def add(self, rule: Rule) -> None:
        """Add a rule after the others."""
        name = rule.fault.app.name
        if name and not is_glob(name):
            self.named.setdefault(name, []).append(rule)
        else:
            self.others.append(rule)

    def may_concern(self, name: str) -> bool:
        """Return whether a rule may be about a call that names an app of that name."""
        return bool(self.others) or name in self.named

    def about(self, name: str) -> list[Rule]:
        """Return the rules that an app of that name may be selected by, in order."""
        named = self.named.get(name)
        if named is None:
            return self.others
        return sorted(self.others + named, key=lambda rule: rule.number) if self.others else named


def copy_of(fault: Fault) -> Fault:
    """Return a copy, which stays as it is."""
    copy = Fault()
    copy.CopyFrom(fault)
    return copy
