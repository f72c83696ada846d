"""What an event says in plain words: one table, a row per action that flyball records. Pure.

`{}` is the object's name, or its id where it has none. An action that is not in the table is told as it stands, never guessed at.
"""

from collections.abc import Mapping
from urllib.parse import quote

from .records import Event, Told

DEEDS: Mapping[str, str] = {
    "costs.export": "exported what {} has cost",
    "audit.export": "exported the audit record of {}",
    "audit.prune": "gave up audit events up to number {}, which were older than they are kept",
    "budgets.remove": "removed the {}",
    "budgets.set": "set the {}",
    "configuration.export": "exported the configuration of {}",
    "datasets.begin_experiment": "began the experiment {}",
    "datasets.describe": "said what the dataset {} is",
    "datasets.put_item": "put the item {} into it",
    "datasets.remove_experiment": "forgot the experiment {}",
    "datasets.remove_item": "took the item {} out of it",
    "datasets.create": "made the dataset {}",
    "datasets.declare": "changed what is declared of the dataset {}",
    "datasets.import": "asked for an import into the dataset {}",
    "datasets.publish": "published the dataset version {}",
    "datasets.read_rows": "read rows of the dataset version {}",
    "evaluations.create": "declared the evaluation {}",
    "evaluations.read_results": "read what was answered in the evaluation report {}",
    "evaluations.report": "completed the evaluation report {}",
    "evaluations.run": "asked for a run of the evaluation {}",
    "evaluations.update": "changed the evaluation {}",
    "functions.create": "declared the function {}",
    "functions.update": "changed the function {}",
    "indexes.build": "asked for a build of the index {}",
    "indexes.create": "declared the index {}",
    "indexes.declare": "changed what is declared of the index {}",
    "indexes.search": "searched the index {}",
    "indexes.publish": "published the index version {}",
    "keys.create": "made the key {}",
    "keys.refuse": "was refused with the key {}",
    "keys.revoke": "revoked the key {}",
    "keys.rotate": "rotated the key {}",
    "ledger.repair": "set the counter of the quota {} to what the ledger adds up to",
    "ledger.sum_again": "derived sums of the ledger of {} again",
    "limits.remove": "removed the limit of {}",
    "limits.set": "set the limit of {}",
    "links.create": "made the sign-in link {}",
    "members.add": "took the member {} into the project",
    "members.create": "made the member {}",
    "members.delete": "took the member {} out of the organisation",
    "members.read": "looked at the members of {}",
    "members.remove": "took the member {} out of the project",
    "members.set_role": "gave another role to the member {}",
    "members.set_password": "set the password of the member {}",
    "models.admit": "admitted the model file {}",
    "models.create": "declared the model {}",
    "models.update": "changed the model {}",
    "notifications.add": "had {} told of thresholds",
    "notifications.remove": "had {} told no more",
    "notifications.test": "sent a test to {}",
    "permissions.refuse": "was refused for lack of the permission {}",
    "projects.archive": "archived the project {}",
    "projects.create": "made the project {}",
    "organisations.add_owner": "made {} an owner of the organisation",
    "organisations.create": "made the organisation {}",
    "organisations.remove_owner": "made {} an owner of the organisation no more",
    "prompts.create": "declared the prompt {}",
    "prompts.label": "put a label on a prompt: {}",
    "prompts.unlabel": "took a label off a prompt: {}",
    "prompts.update": "changed the prompt {}",
    "releases.approve": "approved the release {}",
    "releases.propose": "proposed the release {}",
    "releases.reject": "rejected the release {}",
    "releases.rollback": "asked to roll back, by the release {}",
    "releases.serve": "put the release {} into service",
    "roles.remove": "removed the role {}",
    "roles.set": "set what the role {} permits",
    "score_configs.create": "made the score config {}",
    "score_configs.update": "changed the score config {}",
    "logs.read": "read log records of {}",
    "metrics.read": "read points of metrics of {}",
    "scores.read": "read scores of {}, comments among them",
    "secrets.read": "looked at the names of the secrets of {}",
    "secrets.remove": "removed the secret {}",
    "secrets.rotate_data_key": "rotated the data key, which is {} now",
    "secrets.rotate_master": "wrapped the data key {} with another master key",
    "secrets.set": "set the secret {}",
    "invitations.accept": "accepted the invitation {}",
    "invitations.create": "invited somebody, by {}",
    "invitations.revoke": "revoked the invitation {}",
    "members.begin_factor": "began to set up a second factor for the member {}",
    "members.begin_link": "began to link an account with a provider to the member {}",
    "members.confirm_factor": "turned the second factor of the member {} on",
    "members.link_provider": "linked an account to the member {}",
    "members.remove_factor": "took the second factor of the member {} away",
    "members.renew_recovery_codes": "made new recovery codes for the member {}",
    "members.sign_out": "signed the member {} out everywhere",
    "members.unlink_provider": "unlinked an account of the member {}",
    "providers.remove": "removed the sign-in provider {}",
    "providers.set": "declared the sign-in provider {}",
    "sessions.ask_code": "gave a right password or link as {}, and owes a code",
    "sessions.create": "signed in, with the session {}",
    "sessions.refuse": "gave a proof that does not hold, for {}",
    "sessions.revoke": "ended the session {}",
    "sessions.switch": "went to another project, in the session {}",
    "traces.ask": "asked the tables in SQL, among them the {} of traces",
    "traces.keep": "decided how long the {} keeps what happened",
    "traces.expire": "took out what is older than the {} keeps",
    "traces.erase": "asked for the erasure of traces, of one {}",
    "traces.renormalise": "asked to read the stored spans of the {} again",
    "traces.retry": "tried records again that were set aside in the {}",
    "traces.read": "read the texts of the trace {}",
}

# Where the page of an object is, by its kind; only where its id is what the page's address names.
_PAGES: Mapping[str, str] = {
    "evaluation": "/evaluations/{}",
    "evaluation_report": "/reports/{}",
    "release": "/releases/{}",
    "trace": "/traces/{}",
}


def tell(event: Event) -> Told:
    """The event in words."""
    deed = deed_of(event)
    page = _PAGES.get(event.object_kind, "")
    return Told(
        event=event,
        sentence=f"{event.actor_name or event.actor_id} {deed}",
        deed=deed,
        href=page.format(quote(event.object_id, safe="")) if page and event.object_id else "",
    )


def deed_of(event: Event) -> str:
    """What was done, without who did it."""
    known = DEEDS.get(event.action)
    object_ = event.object_name or event.object_id
    if known is not None:
        return known.replace("{}", object_)
    return f"did {event.action} to the {event.object_kind.replace('_', ' ')} {object_}"
