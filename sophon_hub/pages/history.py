"""The versions of notebooks in a lab: which there are, what changed, and restoring one."""

from typing import NamedTuple

from sophon_hub.actions import history as actions
from sophon_hub.actions.forms import Nothing
from sophon_hub.errors import Conflict, Invalid, NotFound
from sophon_hub.models import HistoryVerb
from sophon_hub.pages.base import FormState, Values
from sophon_hub.pages.labs import LabBase
from sophon_hub.policy.actor import Actor
from sophon_hub.store import history, labs
from sophon_hub.store.engine import Session
from sophon_hub.web import present_history as present

REASONS = {
    "open": "when it was opened",
    "interval": "while people worked on it",
    "close": "when everybody had closed it",
    "end": "before the lab stopped",
    "before": "before another version was restored",
    "restored": "restored",
}
_KINDS = {"##": "place", "@@": "place", "+": "added", "-": "removed"}


class Notebook(NamedTuple):
    """A notebook of which versions are kept, and when the newest one was."""

    path: str
    versions: int
    at: str


def _notebooks(known: Values) -> list[Notebook]:
    by_path: dict[str, list[Values]] = {}
    for one in known["items"]:
        by_path.setdefault(one["path"], []).append(one)
    return [Notebook(path, len(found), found[0]["at"]) for path, found in by_path.items()]


class HistoryPage(LabBase):
    """The notebooks of which a lab keeps versions, or the versions of one of them."""

    async def get(self, project: str, slug: str) -> None:
        """Show them; a script that asks hears nothing when nothing has changed."""
        await self._show(project, slug, FormState())

    async def _show(self, project: str, slug: str, form: FormState) -> None:
        notebook = self.one_argument("notebook")

        def work(session: Session, actor: Actor) -> Values:
            lab = labs.get_lab(session, actor, project, slug)
            known = present.known(session, actor, lab)
            return {**self.around(lab, actor), "history": known, "form": form}

        values = await self.read(work)
        known = values["history"]
        values["notebook"] = notebook
        values["notebooks"] = _notebooks(known)
        values["versions"] = [one for one in known["items"] if one["path"] == notebook]
        values["reasons"] = REASONS
        values["mark"] = self.mark_of([values["lab"], known])
        if not self.is_unchanged(values["mark"]):
            await self.show("labs/history.html", form.status, **values)

    async def post(self, project: str, slug: str) -> None:
        """Press a button: look, restore."""
        typed = self.typed()
        button, version = typed.get("action", ""), typed.get("version", "")
        try:
            if button not in {"look", "restore"}:
                raise Invalid.of("action", "There is no such button.")

            def work(session: Session, actor: Actor) -> None:
                lab = labs.get_lab(session, actor, project, slug)
                if button == "look":
                    actions.look(session, actor, lab)
                else:
                    actions.restore_version(session, actor, lab, version)

            await self.act(work)
        except (Invalid, Conflict) as error:
            await self._show(project, slug, FormState.refused(typed, error))
            return
        self.go_on("projects", project, "labs", slug, "history")


class ChangesPage(LabBase):
    """What changed between two versions of a notebook."""

    async def get(self, project: str, slug: str, version: str, since: str) -> None:
        """Show it, or how it stands with finding it out."""
        await self._show(project, slug, version, since, FormState())

    async def _show(
        self, project: str, slug: str, version: str, since: str, form: FormState
    ) -> None:
        def work(session: Session, actor: Actor) -> Values:
            lab = labs.get_lab(session, actor, project, slug)
            found = {one["id"]: one for one in present.known(session, actor, lab)["items"]}
            if version not in found or since not in found:
                raise NotFound
            compare = HistoryVerb.COMPARE
            task = history.find_task(session, actor, lab, compare, version, since)
            return {
                **self.around(lab, actor),
                "changes": present.changes(task),
                "version": found[version],
                "since": found[since],
                "form": form,
            }

        values = await self.read(work)
        values["lines"] = lines(values["changes"]["text"] or "")
        values["mark"] = self.mark_of([values["changes"], values["lab"]])
        if not self.is_unchanged(values["mark"]):
            await self.show("labs/changes.html", form.status, **values)

    async def post(self, project: str, slug: str, version: str, since: str) -> None:
        """Have it found out."""
        try:
            self.form(Nothing)
            await self.act(
                lambda session, actor: actions.compare(
                    session, actor, labs.get_lab(session, actor, project, slug), version, since
                )
            )
        except (Invalid, Conflict) as error:
            form = FormState.refused(self.typed(), error)
            await self._show(project, slug, version, since, form)
            return
        self.go_on("projects", project, "labs", slug, "history", version, "since", since)


def lines(text: str) -> list[tuple[str, str]]:
    """The lines of a comparison, each with what it is: place, added, removed or same."""
    found = []
    for line in text.splitlines():
        kind = next((kind for mark, kind in _KINDS.items() if line.startswith(mark)), "same")
        found.append((kind, line))
    return found
