"""What systemctl prints."""

from wheelferry.systemd.manager import decode_properties, show_units


def test_properties_come_in_a_block_for_each_unit() -> None:
    """As `systemctl show` of several units prints them; values may have a `=`."""
    text = (
        "Id=wheelferry@ci.service\nUser=ci\nActiveState=active\nResult=\n"
        "\n"
        "Id=wheelferry-pull@x.timer\nActiveState=failed\nResult=a=b\n"
    )

    assert decode_properties(text) == (
        {
            "Id": "wheelferry@ci.service",
            "User": "ci",
            "ActiveState": "active",
            "Result": "",
        },
        {"Id": "wheelferry-pull@x.timer", "ActiveState": "failed", "Result": "a=b"},
    )
    assert decode_properties("\n") == ()


def test_no_units_are_not_asked_for() -> None:
    """Without a name systemctl would show the manager itself."""
    assert show_units(()) == ()
