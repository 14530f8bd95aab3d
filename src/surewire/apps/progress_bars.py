"""Progress as bars that are written over, by the package `rich`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.table import Column

from surewire.apps.transfer_view import View, pace, printable


class Bars:
    """One bar a transfer; they vanish with `hide`."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress: Progress | None = None
        self._tasks: dict[int, TaskID] = {}

    def show(self, views: Sequence[View]) -> None:
        """Draw them; a transfer that is no longer among them goes."""
        progress = self._progress or self._start()
        for key in self._tasks.keys() - {view.key for view in views}:
            progress.remove_task(self._tasks.pop(key))
        for view in views:
            task = self._tasks.get(view.key)
            if task is None:
                task = self._tasks[view.key] = progress.add_task(
                    printable(view.name), total=max(view.size, 1), details=""
                )
            progress.update(task, completed=view.done if view.size else 1, details=pace(view))
        progress.refresh()

    def hide(self) -> None:
        """Erase them."""
        progress, self._progress = self._progress, None
        self._tasks.clear()
        if progress is not None:
            progress.stop()

    def _start(self) -> Progress:
        name = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=18))
        text = TextColumn("{task.fields[details]}", markup=False, table_column=Column(no_wrap=True))
        progress = Progress(
            name,
            BarColumn(bar_width=10),
            TaskProgressColumn(),
            text,
            console=self._console,
            transient=True,
            auto_refresh=False,  # no thread of its own beside the transfer
            redirect_stdout=False,
            redirect_stderr=False,
        )
        progress.start()
        self._progress = progress
        return progress
