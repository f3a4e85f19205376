"""Damage on a real file server: seen by every host, moved aside by one, and healed."""

from tests.nfs.conftest import NewFleet
from tests.nfs.faults import large, objects, succeeded

DAMAGED = 30


def test_damage_on_the_server_is_moved_aside_and_promoted_anew(
    new_fleet: NewFleet,
) -> None:
    """Two hosts that mend at once move it aside once; whoever has it puts it back."""
    fleet = new_fleet(runners=3)
    a, b, c = fleet.runners
    planned = [large(f"part{number}", 0.5) for number in range(4)]
    a.fill(*planned)
    succeeded(a.ferry("promote"))
    sound = succeeded(b.ferry("verify"))
    print(f"\nverify: {sound.traffic}, {sound.wall_s:.1f} s")
    assert sound.traffic.locks == 0
    assert sound.summary["read"] == 4

    path = f"{fleet.export.path}/{min(objects(fleet).values())}"
    fleet.site.server.shell(
        f"chmod u+w {path} && printf x | dd of={path} bs=1 seek=5000 conv=notrunc"
    )
    found = b.ferry("verify")
    started = [runner.start("verify", "--fix") for runner in (b, c)]
    fixed = [run.wait().summary["fixed"] for run in started]

    assert found.returncode == DAMAGED
    assert [f["reference"] for f in found.summary["findings"]] == ["object-corrupt"]
    assert sum(each["objects"] for each in fixed) == 1, fixed
    assert fleet.count("quarantine/*") == 2  # and the reason
    assert len(objects(fleet)) == 3
    assert succeeded(a.ferry("promote")).summary["promoted"] == 1
    assert fleet.damage() == []
    assert succeeded(c.ferry("pull")).summary["restored"] == 4
    assert c.usable(planned) == 4
