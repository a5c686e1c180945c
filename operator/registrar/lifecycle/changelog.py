"""The change log of a Client: the last twenty things that were done or tried on a gateway, by whom, and how they ended.

An entry is made where the facts show something that no entry stands for yet: a change that worked and is not recorded, a registration that was found, a change
that has not worked for a while, an action that was refused. What goes into the log goes out as an Event too, under the same words.

Invariants: equal facts make no second entry, so a retry adds nothing; the last successful change of each important kind is never pushed out by others; an entry
holds no key and no configuration of another namespace.
What this module deliberately does not do: write the audit line (see `engine.effects`).
"""

from __future__ import annotations

from registrar.lifecycle import actions
from registrar.lifecycle.askers import asked_by, asked_by_action
from registrar.lifecycle.case import Case
from registrar.lifecycle.model import Failed, Live, Notice, Why
from registrar.resources import reasons
from registrar.resources.objects import VERBS
from registrar.resources.reasons import Reason
from registrar.resources.status import CHANGE_LOG, ClientStatus, LogEntry
from registrar.resources.times import timestamp

_DETAIL = 512
_MILESTONES = (Why.REGISTERED, Why.REREGISTERED, Why.PUBLISHED, Why.RETIRED, Why.TAKEN_OVER)
"""What a reader of the log looks for first; the last success of each stays."""


def change_log(case: Case, after: ClientStatus) -> tuple[LogEntry, ...]:
    """The log with what is new; `after` is the status with its actions settled."""
    log = case.view.status.change_log
    return _bounded((*log, *_new_entries(case, after)))


def log_notices(case: Case) -> tuple[Notice, ...]:
    """The Events of the entries that no other notice stands for: registrations that were found, and changes that do not work."""
    found = [Notice(entry.what, entry.detail) for entry in _taken_over(case)]
    failed = [
        Notice(Reason.CHANGE_FAILED, reasons.change_failed(what=entry.what, detail=entry.detail), warning=True)
        for entry in _failures(case)
    ]
    return (*found, *failed)


def taken_over(case: Case) -> tuple[str, ...]:
    """The gateways whose registration was found under our key and is published from now on, though no status of ours recorded it."""
    return tuple(
        gateway
        for gateway in case.gateways
        if gateway not in case.view.effected
        and case.live(gateway).state is Live.OURS
        and not case.published[gateway].empty
        and (case.view.status.snapshot(gateway).empty or not case.live(gateway).genuine)
    )


def _new_entries(case: Case, after: ClientStatus) -> tuple[LogEntry, ...]:
    return (*_taken_over(case), *_effected(case), *_failures(case), *_actions(case, after))


def _effected(case: Case) -> tuple[LogEntry, ...]:
    """The changes that worked and that no status records yet."""
    return tuple(
        LogEntry(
            time=timestamp(effected.at),
            what=effected.why,
            outcome=actions.SUCCEEDED,
            detail=(effected.detail or f"on gateway {gateway}")[:_DETAIL],
            by=effected.by,
        )
        for gateway, effected in sorted(case.view.effected.items())
    )


def _taken_over(case: Case) -> tuple[LogEntry, ...]:
    by = asked_by(case.view, Why.TAKEN_OVER).words
    return tuple(
        LogEntry(
            time=case.now,
            what=Why.TAKEN_OVER,
            outcome=actions.SUCCEEDED,
            detail=reasons.taken_over(gateway),
            by=by,
        )
        for gateway in taken_over(case)
    )


def _failures(case: Case) -> tuple[LogEntry, ...]:
    """The changes that have not worked for longer than a blip, where the log does not say so yet."""
    view = case.view
    made = []
    for gateway, failed in sorted(view.failed.items()):
        if gateway not in view.faults or view.now < failed.at + view.grace:
            continue
        entry = _failure(gateway, failed)
        if not _said(view.status.change_log, entry):
            made.append(entry)
    return tuple(made)


def _failure(gateway: str, failed: Failed) -> LogEntry:
    return LogEntry(
        time=timestamp(failed.at),
        what=failed.why,
        outcome=actions.FAILED,
        detail=f"on gateway {gateway}: {failed.error}",
        by=failed.by,
    )


def _said(log: tuple[LogEntry, ...], entry: LogEntry) -> bool:
    """Whether the log says this since the last change that worked."""
    for known in reversed(log):
        if known.outcome == actions.SUCCEEDED:
            return False
        if (known.what, known.detail) == (entry.what, entry.detail):
            return True
    return False


def _actions(case: Case, after: ClientStatus) -> tuple[LogEntry, ...]:
    """The actions that end without success with this status; one that succeeds has the entries of its changes.

    Tokens that an object was born with are no actions: nobody asked for anything.
    """
    view = case.view
    if view.status.never_written:
        return ()
    ended = ((verb, view.status.action(verb), after.action(verb)) for verb in VERBS)
    return tuple(
        LogEntry(
            time=case.now,
            what=verb,
            outcome=new.outcome,
            detail=new.message[:_DETAIL],
            by=asked_by_action(view, verb, new.last_handled).words,
        )
        for verb, old, new in ended
        if new.outcome in (actions.FAILED, actions.SKIPPED)
        and (new.last_handled, new.handled) != (old.last_handled, old.handled)
    )


def _bounded(entries: tuple[LogEntry, ...]) -> tuple[LogEntry, ...]:
    """The newest entries, with room kept for the last success of each milestone."""
    if len(entries) <= CHANGE_LOG:
        return entries
    last = {
        entry.what: position
        for position, entry in enumerate(entries)
        if entry.what in _MILESTONES and entry.outcome == actions.SUCCEEDED
    }
    milestones = set(last.values())
    others = [position for position in range(len(entries)) if position not in milestones]
    kept = {*milestones, *others[len(milestones) - CHANGE_LOG :]}
    return tuple(entries[position] for position in sorted(kept))
