"""Which of the store's records this machine can use; asked for each of them: pure."""

from wheelferry.native.judge import Machine, Policy, judge_needs, judge_platform
from wheelferry.native.platforms import find_tag
from wheelferry.store.view import LightRecord
from wheelferry.uvcache.entry import Kind


class Fitness:
    """Judges records, and remembers: many have the same tag, or the same needs.

    Downloaded wheels follow their tags, as an index would have it.  Of a wheel that uv
    built, the tag says too little: its needs are looked at, and the policy.
    """

    def __init__(self, machine: Machine, policy: Policy) -> None:
        self._machine = machine
        self._policy = policy
        self._by_tag: dict[str, str | None] = {}
        self._by_needs: dict[str, str | None] = {}

    def refuse(self, record: LightRecord) -> str | None:
        """Return why this machine cannot use what a record names, or None."""
        if record.tags.endswith("-any"):  # most of them, and a store may have 100,000
            return None
        tag = find_tag(record.tags)
        if tag not in self._by_tag:
            self._by_tag[tag] = judge_platform(tag, self._machine)
        if (reason := self._by_tag[tag]) is not None:
            return reason
        if not Kind(record.kind).is_built:
            return None
        needs = record.joined_needs
        if needs not in self._by_needs:
            self._by_needs[needs] = judge_needs(
                record.needs, self._machine, self._policy
            )
        return self._by_needs[needs]
