"""The figures of all runners, as they are in the store."""

from wheelferry.ops.figures import RunnerFigures
from wheelferry.ops.handover import find_figures
from wheelferry.store.base import Store
from wheelferry.store.layout import usage_runner
from wheelferry.store.usage import find_replaced


def read_fleet(store: Store) -> list[RunnerFigures]:
    """Return what runners said of what they did, each about once a day.

    Of a runner that has more than one file, such as those of machines that were cloned,
    one for each.  What others carry on is left out.

    Raises StoreError.
    """
    files = list(store.usage.read_all())
    replaced = find_replaced(files)
    return [
        RunnerFigures(
            runner=usage_runner(file.name), days=find_figures(file.usage, file.name)
        )
        for file in files
        if file.name not in replaced
    ]
