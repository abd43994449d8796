"""The error catalogue: every failure a caller can meet, with a stable reason, a status and advice.

A reason never changes its meaning once published; clients branch on it. The edge turns an
:class:`FrsError` into ``google.rpc.Status`` with ``ErrorInfo(reason, domain="frs")``; the command line prints
the message and the advice. ``docs/errors.md`` documents each (a test compares).
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Canonical status names (google.rpc.Code) without importing grpc."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    ABORTED = "ABORTED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    DATA_LOSS = "DATA_LOSS"
    INTERNAL = "INTERNAL"


class Reason(StrEnum):
    """Stable reasons, grouped by what went wrong."""

    # Requests
    INVALID_FIELD = "INVALID_FIELD"
    INVALID_PAGE_TOKEN = "INVALID_PAGE_TOKEN"  # noqa: S105  # a reason, not a password
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    METHOD_UNKNOWN = "METHOD_UNKNOWN"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    # Identities
    IDENTITY_REVOKED = "IDENTITY_REVOKED"
    IDENTITY_NOT_FOUND = "IDENTITY_NOT_FOUND"
    TOKEN_INVALID = "TOKEN_INVALID"  # noqa: S105  # a reason, not a password
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105
    ISSUER_UNAVAILABLE = "ISSUER_UNAVAILABLE"
    RATE_LIMITED = "RATE_LIMITED"
    SEPARATION_OF_DUTIES = "SEPARATION_OF_DUTIES"
    # Pictures and video
    PICTURE_EMPTY = "PICTURE_EMPTY"
    PICTURE_UNREADABLE = "PICTURE_UNREADABLE"
    PICTURE_TRUNCATED = "PICTURE_TRUNCATED"
    PICTURE_TOO_LARGE = "PICTURE_TOO_LARGE"
    PICTURE_TOO_MANY_PIXELS = "PICTURE_TOO_MANY_PIXELS"
    VIDEO_UNREADABLE = "VIDEO_UNREADABLE"
    VIDEO_STALLED = "VIDEO_STALLED"
    # Faces
    NO_FACE = "NO_FACE"
    SEVERAL_FACES = "SEVERAL_FACES"
    FACE_QUALITY_TOO_LOW = "FACE_QUALITY_TOO_LOW"
    # Watchlists
    WATCHLIST_NOT_FOUND = "WATCHLIST_NOT_FOUND"
    WATCHLIST_EXISTS = "WATCHLIST_EXISTS"
    WATCHLIST_WRONG_STATE = "WATCHLIST_WRONG_STATE"
    WATCHLIST_NOT_ACTIVE = "WATCHLIST_NOT_ACTIVE"
    WATCHLIST_EXPIRED = "WATCHLIST_EXPIRED"
    WATCHLIST_NOT_REVIEWED = "WATCHLIST_NOT_REVIEWED"
    WATCHLIST_EMPTY = "WATCHLIST_EMPTY"
    WATCHLIST_CHANGED = "WATCHLIST_CHANGED"
    WATCHLIST_FILE_INVALID = "WATCHLIST_FILE_INVALID"
    CATEGORY_NOT_ALLOWED = "CATEGORY_NOT_ALLOWED"
    SUBJECT_NOT_FOUND = "SUBJECT_NOT_FOUND"
    SUBJECT_EXISTS = "SUBJECT_EXISTS"
    SUBJECT_WITHDRAWN = "SUBJECT_WITHDRAWN"
    TOO_MANY_IMAGES = "TOO_MANY_IMAGES"
    IMAGE_EXISTS = "IMAGE_EXISTS"
    IMAGE_NOT_FOUND = "IMAGE_NOT_FOUND"
    IMAGE_NOT_LAWFUL = "IMAGE_NOT_LAWFUL"
    RATIONALE_REQUIRED = "RATIONALE_REQUIRED"
    # Thresholds
    THRESHOLD_MISSING = "THRESHOLD_MISSING"
    THRESHOLD_OTHER_MODEL = "THRESHOLD_OTHER_MODEL"
    TEMPLATES_OTHER_MODEL = "TEMPLATES_OTHER_MODEL"
    # Deployments and streams
    DEPLOYMENT_NOT_FOUND = "DEPLOYMENT_NOT_FOUND"
    DEPLOYMENT_NOT_OPEN = "DEPLOYMENT_NOT_OPEN"
    DEPLOYMENT_ENDED = "DEPLOYMENT_ENDED"
    CAMERA_BUSY = "CAMERA_BUSY"
    STREAM_PROTOCOL = "STREAM_PROTOCOL"
    TOO_MANY_STREAMS = "TOO_MANY_STREAMS"
    # Retrospective and operator searches
    AUTHORISATION_EXPIRED = "AUTHORISATION_EXPIRED"
    UPLOAD_NOT_FOUND = "UPLOAD_NOT_FOUND"
    UPLOAD_OFFSET_MISMATCH = "UPLOAD_OFFSET_MISMATCH"
    UPLOAD_INCOMPLETE = "UPLOAD_INCOMPLETE"
    UPLOAD_CHECKSUM_MISMATCH = "UPLOAD_CHECKSUM_MISMATCH"
    UPLOAD_TOO_LARGE = "UPLOAD_TOO_LARGE"
    UPLOAD_IN_USE = "UPLOAD_IN_USE"
    JOB_NOT_FOUND = "JOB_NOT_FOUND"
    JOB_FINISHED = "JOB_FINISHED"
    SEARCH_NOT_FOUND = "SEARCH_NOT_FOUND"
    OUTCOME_RECORDED = "OUTCOME_RECORDED"
    OUTCOME_NOT_YOURS = "OUTCOME_NOT_YOURS"
    OUTCOME_NOT_OWED = "OUTCOME_NOT_OWED"
    # Review and the log
    ALERT_NOT_FOUND = "ALERT_NOT_FOUND"
    ALERT_WRONG_STATE = "ALERT_WRONG_STATE"
    CASE_NOT_FOUND = "CASE_NOT_FOUND"
    CASE_TAKEN = "CASE_TAKEN"
    CASE_NOT_CLAIMED = "CASE_NOT_CLAIMED"
    CASE_CLOSED = "CASE_CLOSED"
    CASE_DECIDED = "CASE_DECIDED"
    NOT_INDEPENDENT = "NOT_INDEPENDENT"
    OBSERVATION_REQUIRED = "OBSERVATION_REQUIRED"
    OBSERVATION_RECORDED = "OBSERVATION_RECORDED"
    FRAME_NOT_KEPT = "FRAME_NOT_KEPT"
    ASSIGNMENT_NOT_FOUND = "ASSIGNMENT_NOT_FOUND"
    ASSIGNMENT_WRONG_STATE = "ASSIGNMENT_WRONG_STATE"
    PAIR_NOT_FOUND = "PAIR_NOT_FOUND"
    PAIR_EXISTS = "PAIR_EXISTS"
    EVENT_NOT_FOUND = "EVENT_NOT_FOUND"
    CHECKPOINT_NOT_FOUND = "CHECKPOINT_NOT_FOUND"
    LOG_UNAVAILABLE = "LOG_UNAVAILABLE"
    LOG_INCONSISTENT = "LOG_INCONSISTENT"
    EXPORT_INTERRUPTED = "EXPORT_INTERRUPTED"
    # The witness
    WITNESS_UNAVAILABLE = "WITNESS_UNAVAILABLE"
    WITNESS_CONFLICT = "WITNESS_CONFLICT"
    WITNESS_UNTRUSTED = "WITNESS_UNTRUSTED"
    # Retention and erasure
    HOLD_NOT_FOUND = "HOLD_NOT_FOUND"
    HOLD_NOT_IN_FORCE = "HOLD_NOT_IN_FORCE"
    ERASURE_NOT_FOUND = "ERASURE_NOT_FOUND"
    ERASURE_DECIDED = "ERASURE_DECIDED"
    PERSON_NOT_FOUND = "PERSON_NOT_FOUND"
    ERASED = "ERASED"
    # Backup and restoration
    BACKUP_INVALID = "BACKUP_INVALID"
    BACKUP_EXPIRED = "BACKUP_EXPIRED"
    JOURNAL_REQUIRED = "JOURNAL_REQUIRED"
    # Models
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    MODEL_CHANGED = "MODEL_CHANGED"
    MODEL_INVALID = "MODEL_INVALID"
    MODEL_LICENCE_NOT_ACCEPTED = "MODEL_LICENCE_NOT_ACCEPTED"
    MODEL_DOWNLOAD_FAILED = "MODEL_DOWNLOAD_FAILED"
    GPU_REQUIRED = "GPU_REQUIRED"
    # The service itself
    OVERLOADED = "OVERLOADED"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    INDEX_UNAVAILABLE = "INDEX_UNAVAILABLE"
    STORAGE_FULL = "STORAGE_FULL"
    STORAGE_FAILED = "STORAGE_FAILED"
    DATA_DIRECTORY_IN_USE = "DATA_DIRECTORY_IN_USE"
    DATABASE_NEWER = "DATABASE_NEWER"
    KEY_MISSING = "KEY_MISSING"
    KEY_WRONG = "KEY_WRONG"
    NOT_INITIALISED = "NOT_INITIALISED"
    ALREADY_INITIALISED = "ALREADY_INITIALISED"
    IDENTITY_EXISTS = "IDENTITY_EXISTS"
    CREDENTIALS_UNUSABLE = "CREDENTIALS_UNUSABLE"
    SETTINGS_INVALID = "SETTINGS_INVALID"
    SERVER_UNREACHABLE = "SERVER_UNREACHABLE"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Entry:
    """What the catalogue says of one reason."""

    status: Status
    advice: str
    """What the person should do, one sentence."""


CATALOGUE: dict[Reason, Entry] = {
    Reason.INVALID_FIELD: Entry(Status.INVALID_ARGUMENT, "Correct the named field and send the request again."),
    Reason.INVALID_PAGE_TOKEN: Entry(
        Status.INVALID_ARGUMENT, "Use the next_page_token of the previous answer with the same filters, or none."
    ),
    Reason.MESSAGE_TOO_LARGE: Entry(
        Status.RESOURCE_EXHAUSTED, "Send at most 20 MiB in one message; use an upload for larger media."
    ),
    Reason.METHOD_UNKNOWN: Entry(Status.UNIMPLEMENTED, "Check the method's name and the server's version."),
    Reason.UNAUTHENTICATED: Entry(
        Status.UNAUTHENTICATED,
        "Connect with a client certificate issued by this service's authority, or a token of its identity provider.",
    ),
    Reason.PERMISSION_DENIED: Entry(Status.PERMISSION_DENIED, "Ask an administrator for a role that may do this."),
    Reason.IDENTITY_REVOKED: Entry(
        Status.UNAUTHENTICATED, "Ask an administrator: this identity or credential has been revoked."
    ),
    Reason.IDENTITY_NOT_FOUND: Entry(Status.NOT_FOUND, "Check the name with `frs identity known`."),
    Reason.TOKEN_INVALID: Entry(
        Status.UNAUTHENTICATED, "Sign in anew at the identity provider for this service's audience."
    ),
    Reason.TOKEN_EXPIRED: Entry(Status.UNAUTHENTICATED, "Sign in anew at the identity provider."),
    Reason.ISSUER_UNAVAILABLE: Entry(
        Status.UNAVAILABLE, "Try again shortly, or sign in with a certificate: the identity provider does not answer."
    ),
    Reason.RATE_LIMITED: Entry(
        Status.RESOURCE_EXHAUSTED, "Wait for the seconds named (retry_seconds) and ask more slowly."
    ),
    Reason.SEPARATION_OF_DUTIES: Entry(Status.PERMISSION_DENIED, "Somebody else must do this: two people, two duties."),
    Reason.PICTURE_EMPTY: Entry(Status.INVALID_ARGUMENT, "Send the bytes of a JPEG or PNG picture."),
    Reason.PICTURE_UNREADABLE: Entry(
        Status.INVALID_ARGUMENT, "Send a JPEG, PNG, WebP, BMP, TIFF or GIF picture that an ordinary viewer opens."
    ),
    Reason.PICTURE_TRUNCATED: Entry(Status.INVALID_ARGUMENT, "Send the whole file again; its end is missing."),
    Reason.PICTURE_TOO_LARGE: Entry(Status.INVALID_ARGUMENT, "Send a picture of at most 20 MiB."),
    Reason.PICTURE_TOO_MANY_PIXELS: Entry(Status.INVALID_ARGUMENT, "Scale the picture down to at most 50 megapixels."),
    Reason.VIDEO_UNREADABLE: Entry(Status.INVALID_ARGUMENT, "Send a video that an ordinary player opens."),
    Reason.VIDEO_STALLED: Entry(Status.UNAVAILABLE, "Check the camera or the file; reading it made no progress."),
    Reason.NO_FACE: Entry(Status.INVALID_ARGUMENT, "Use a picture in which one face is clearly visible."),
    Reason.SEVERAL_FACES: Entry(Status.INVALID_ARGUMENT, "Crop the picture to the one person it is about."),
    Reason.FACE_QUALITY_TOO_LOW: Entry(
        Status.INVALID_ARGUMENT, "Use a larger, sharper, more frontal or better lit picture of the face."
    ),
    Reason.WATCHLIST_NOT_FOUND: Entry(Status.NOT_FOUND, "Check the watchlist's name with `frs watchlist list`."),
    Reason.WATCHLIST_EXISTS: Entry(Status.ALREADY_EXISTS, "Choose another name or change the existing watchlist."),
    Reason.WATCHLIST_WRONG_STATE: Entry(
        Status.FAILED_PRECONDITION, "Follow the states draft, approved, active, retired in order."
    ),
    Reason.WATCHLIST_NOT_ACTIVE: Entry(
        Status.FAILED_PRECONDITION, "Approve and activate the watchlist before it is searched."
    ),
    Reason.WATCHLIST_EXPIRED: Entry(
        Status.FAILED_PRECONDITION, "The watchlist's authority has ended; set a new expiry with a new approval."
    ),
    Reason.WATCHLIST_NOT_REVIEWED: Entry(
        Status.FAILED_PRECONDITION, "Review the watchlist's present version before opening a deployment with it."
    ),
    Reason.WATCHLIST_EMPTY: Entry(Status.FAILED_PRECONDITION, "Enrol at least one subject first."),
    Reason.WATCHLIST_CHANGED: Entry(
        Status.ABORTED, "Read the watchlist again and repeat the change on its new version."
    ),
    Reason.WATCHLIST_FILE_INVALID: Entry(Status.INVALID_ARGUMENT, "Correct the lines named and run the command again."),
    Reason.CATEGORY_NOT_ALLOWED: Entry(Status.INVALID_ARGUMENT, "Use one of the categories that the policy allows."),
    Reason.SUBJECT_NOT_FOUND: Entry(Status.NOT_FOUND, "Check the subject's name with `frs watchlist show`."),
    Reason.SUBJECT_EXISTS: Entry(
        Status.ALREADY_EXISTS, "Add an image to the existing subject instead of enrolling the nominal again."
    ),
    Reason.SUBJECT_WITHDRAWN: Entry(Status.FAILED_PRECONDITION, "A withdrawn subject cannot be changed; enrol anew."),
    Reason.TOO_MANY_IMAGES: Entry(Status.FAILED_PRECONDITION, "Remove an image of the subject before adding another."),
    Reason.IMAGE_EXISTS: Entry(Status.ALREADY_EXISTS, "This very picture is already enrolled for the subject."),
    Reason.IMAGE_NOT_FOUND: Entry(Status.NOT_FOUND, "Check the image's name with `frs watchlist show`."),
    Reason.IMAGE_NOT_LAWFUL: Entry(
        Status.INVALID_ARGUMENT, "Enrol only images that are lawfully held, and state that they are."
    ),
    Reason.RATIONALE_REQUIRED: Entry(Status.INVALID_ARGUMENT, "Record why a person under 18 is on the watchlist."),
    Reason.THRESHOLD_MISSING: Entry(
        Status.FAILED_PRECONDITION, "This pack has no calibration: give the watchlist an explicit score for the mode."
    ),
    Reason.THRESHOLD_OTHER_MODEL: Entry(
        Status.FAILED_PRECONDITION, "Set the watchlist's threshold anew for the model and profile now in use."
    ),
    Reason.TEMPLATES_OTHER_MODEL: Entry(
        Status.FAILED_PRECONDITION,
        "Remove the images of the other model or make a new list; enrol with the model in use.",
    ),
    Reason.DEPLOYMENT_NOT_FOUND: Entry(Status.NOT_FOUND, "Check the deployment's name with `frs deployment list`."),
    Reason.DEPLOYMENT_NOT_OPEN: Entry(Status.FAILED_PRECONDITION, "Wait for the deployment's start, or open one."),
    Reason.DEPLOYMENT_ENDED: Entry(Status.FAILED_PRECONDITION, "Open a new deployment; this one has ended."),
    Reason.CAMERA_BUSY: Entry(Status.FAILED_PRECONDITION, "Close the camera's other stream first."),
    Reason.STREAM_PROTOCOL: Entry(Status.INVALID_ARGUMENT, "Send one open message first, then frames in order."),
    Reason.TOO_MANY_STREAMS: Entry(Status.RESOURCE_EXHAUSTED, "Close a stream or raise live.max_streams."),
    Reason.AUTHORISATION_EXPIRED: Entry(
        Status.FAILED_PRECONDITION, "Obtain a new authorisation for the search and give its expiry."
    ),
    Reason.UPLOAD_NOT_FOUND: Entry(Status.NOT_FOUND, "Create the upload again; it may have expired."),
    Reason.UPLOAD_OFFSET_MISMATCH: Entry(
        Status.OUT_OF_RANGE, "Resume from the offset named in the error's metadata (committed_offset)."
    ),
    Reason.UPLOAD_INCOMPLETE: Entry(Status.FAILED_PRECONDITION, "Finish the upload before starting a job with it."),
    Reason.UPLOAD_CHECKSUM_MISMATCH: Entry(
        Status.DATA_LOSS, "Upload the file again; its bytes differ from its SHA-256."
    ),
    Reason.UPLOAD_TOO_LARGE: Entry(Status.INVALID_ARGUMENT, "Split the media; uploads are limited in size."),
    Reason.UPLOAD_IN_USE: Entry(
        Status.FAILED_PRECONDITION, "Cancel the job that needs the upload, or wait for it; it is destroyed then."
    ),
    Reason.JOB_NOT_FOUND: Entry(Status.NOT_FOUND, "Check the job's name with `frs search jobs`."),
    Reason.JOB_FINISHED: Entry(Status.FAILED_PRECONDITION, "The job has already finished; nothing is left to cancel."),
    Reason.SEARCH_NOT_FOUND: Entry(Status.NOT_FOUND, "Check the search's name with `frs identify --owed`."),
    Reason.OUTCOME_RECORDED: Entry(Status.FAILED_PRECONDITION, "An outcome is recorded once; this one already is."),
    Reason.OUTCOME_NOT_YOURS: Entry(
        Status.PERMISSION_DENIED, "The officer who made the search owes the outcome and must record it."
    ),
    Reason.OUTCOME_NOT_OWED: Entry(Status.FAILED_PRECONDITION, "The search found nobody; no outcome is owed."),
    Reason.ALERT_NOT_FOUND: Entry(Status.NOT_FOUND, "Check the alert's name with `frs review list`."),
    Reason.ALERT_WRONG_STATE: Entry(
        Status.FAILED_PRECONDITION, "Read the alert again with `frs review alerts`; somebody else has decided."
    ),
    Reason.CASE_NOT_FOUND: Entry(Status.NOT_FOUND, "Check the case's name with `frs review list`."),
    Reason.CASE_TAKEN: Entry(Status.FAILED_PRECONDITION, "Take another case; somebody else holds this one."),
    Reason.CASE_NOT_CLAIMED: Entry(
        Status.FAILED_PRECONDITION, "Claim the case first; a claim ends by itself after a while."
    ),
    Reason.CASE_CLOSED: Entry(Status.FAILED_PRECONDITION, "The case is closed; nothing is left to decide."),
    Reason.CASE_DECIDED: Entry(
        Status.FAILED_PRECONDITION, "You have decided this case; another reviewer must decide it too."
    ),
    Reason.NOT_INDEPENDENT: Entry(
        Status.PERMISSION_DENIED, "Leave the case to a reviewer who had no part in how it came about."
    ),
    Reason.OBSERVATION_REQUIRED: Entry(
        Status.FAILED_PRECONDITION, "Record what you see first; the score and a decision come after it."
    ),
    Reason.OBSERVATION_RECORDED: Entry(
        Status.FAILED_PRECONDITION, "An observation is recorded once, before the score was shown."
    ),
    Reason.FRAME_NOT_KEPT: Entry(Status.FAILED_PRECONDITION, "No frame was kept for this case (review.keep_frame)."),
    Reason.ASSIGNMENT_NOT_FOUND: Entry(Status.NOT_FOUND, "Check the assignment's name with `frs officer list`."),
    Reason.ASSIGNMENT_WRONG_STATE: Entry(
        Status.FAILED_PRECONDITION, "Read the assignment again: somebody took it, or it was withdrawn."
    ),
    Reason.PAIR_NOT_FOUND: Entry(Status.NOT_FOUND, "Check the pair's name with `frs vigilance list`."),
    Reason.PAIR_EXISTS: Entry(Status.ALREADY_EXISTS, "These two pictures are in the set already."),
    Reason.EVENT_NOT_FOUND: Entry(Status.NOT_FOUND, "Give the index of an event that the log holds."),
    Reason.CHECKPOINT_NOT_FOUND: Entry(Status.NOT_FOUND, "Give a tree size for which a checkpoint was signed."),
    Reason.LOG_UNAVAILABLE: Entry(
        Status.UNAVAILABLE, "The act could not be logged and did not happen; tell the operator on call."
    ),
    Reason.LOG_INCONSISTENT: Entry(
        Status.DATA_LOSS,
        "The log does not verify: stop using the service and tell the oversight body. "
        "`frs audit verify --offline` names what differs; `frs restore` brings back a backup.",
    ),
    Reason.EXPORT_INTERRUPTED: Entry(
        Status.ABORTED, "Run the same command again with --resume; what was received is kept."
    ),
    Reason.WITNESS_UNAVAILABLE: Entry(
        Status.UNAVAILABLE,
        "Start the witness or repair the way to it; audit.witness_policy says what goes on meanwhile.",
    ),
    Reason.WITNESS_CONFLICT: Entry(
        Status.DATA_LOSS,
        "Do not serve from this data: the witness has seen another log. Compare with `frs audit verify --offline` and "
        "the witness's records; a backup is brought back with `frs restore`.",
    ),
    Reason.WITNESS_UNTRUSTED: Entry(
        Status.FAILED_PRECONDITION,
        "Check audit.witness_url and audit.witness_vkey with whoever runs the witness: its answer is not trusted.",
    ),
    Reason.HOLD_NOT_FOUND: Entry(Status.NOT_FOUND, "Check the hold's name with `frs retention holds`."),
    Reason.HOLD_NOT_IN_FORCE: Entry(Status.FAILED_PRECONDITION, "The hold was released or has ended; place another."),
    Reason.ERASURE_NOT_FOUND: Entry(Status.NOT_FOUND, "Check the erasure's name with `frs erasure list`."),
    Reason.ERASURE_DECIDED: Entry(Status.FAILED_PRECONDITION, "Read the decision with `frs erasure show`."),
    Reason.PERSON_NOT_FOUND: Entry(
        Status.NOT_FOUND, "Check the nominal or the photograph; nothing that is held or logged belongs to it."
    ),
    Reason.ERASED: Entry(
        Status.FAILED_PRECONDITION, "It was erased, on request or when its retention ended; the log says when."
    ),
    Reason.BACKUP_INVALID: Entry(
        Status.DATA_LOSS, "Use another backup; this one is damaged, incomplete or of another installation."
    ),
    Reason.BACKUP_EXPIRED: Entry(Status.FAILED_PRECONDITION, "Use a newer copy of the keyring, and destroy this one."),
    Reason.JOURNAL_REQUIRED: Entry(
        Status.FAILED_PRECONDITION,
        "Give the witness's address, or its erasure journal as a file: without it a restoration would undo erasures.",
    ),
    Reason.MODEL_NOT_FOUND: Entry(Status.FAILED_PRECONDITION, "Install the pack with `frs models install NAME`."),
    Reason.MODEL_CHANGED: Entry(
        Status.FAILED_PRECONDITION, "A file of the pack differs from its manifest: install the pack again."
    ),
    Reason.MODEL_INVALID: Entry(
        Status.FAILED_PRECONDITION, "The folder is not a usable model pack; see docs/models.md."
    ),
    Reason.MODEL_LICENCE_NOT_ACCEPTED: Entry(
        Status.FAILED_PRECONDITION, "Read the licence and repeat the command with --accept-license."
    ),
    Reason.MODEL_DOWNLOAD_FAILED: Entry(
        Status.UNAVAILABLE, "Check the network and repeat the command; a partial download resumes."
    ),
    Reason.GPU_REQUIRED: Entry(
        Status.FAILED_PRECONDITION, "Install the GPU requirements and driver, or set embed.require_gpu to false."
    ),
    Reason.OVERLOADED: Entry(Status.RESOURCE_EXHAUSTED, "Try again shortly; the service is at its limit."),
    Reason.SHUTTING_DOWN: Entry(Status.UNAVAILABLE, "Reconnect in a moment; the service is restarting."),
    Reason.INDEX_UNAVAILABLE: Entry(Status.UNAVAILABLE, "Try again shortly; the index is being rebuilt."),
    Reason.STORAGE_FULL: Entry(Status.RESOURCE_EXHAUSTED, "Free space on the data volume; nothing was lost."),
    Reason.STORAGE_FAILED: Entry(
        Status.UNAVAILABLE,
        "Check the data volume; the act did not happen. `frs restore` brings back a backup of a damaged file.",
    ),
    Reason.DATA_DIRECTORY_IN_USE: Entry(
        Status.FAILED_PRECONDITION, "Stop the other server or choose another data directory."
    ),
    Reason.DATABASE_NEWER: Entry(
        Status.FAILED_PRECONDITION, "Run the FRS version that wrote this database, or a newer one."
    ),
    Reason.KEY_MISSING: Entry(Status.DATA_LOSS, "The key has been destroyed or the keyring is not there; see the log."),
    Reason.KEY_WRONG: Entry(Status.DATA_LOSS, "Put back the key-encryption key that belongs to this keyring."),
    Reason.NOT_INITIALISED: Entry(Status.FAILED_PRECONDITION, "Run `frs init` for this data directory first."),
    Reason.ALREADY_INITIALISED: Entry(
        Status.ALREADY_EXISTS, "Use the data directory as it is, or choose an empty one; nothing was changed."
    ),
    Reason.IDENTITY_EXISTS: Entry(Status.ALREADY_EXISTS, "Choose another name, or renew the certificate with --renew."),
    Reason.CREDENTIALS_UNUSABLE: Entry(
        Status.FAILED_PRECONDITION, "Put back ca.crt, ca.crl, server.crt and server.key as the authority wrote them."
    ),
    Reason.SETTINGS_INVALID: Entry(Status.FAILED_PRECONDITION, "Correct the setting named; see docs/settings.md."),
    Reason.SERVER_UNREACHABLE: Entry(
        Status.UNAVAILABLE, "Check that the server runs and that --address and the certificates are right."
    ),
    Reason.INTERNAL: Entry(Status.INTERNAL, "Report the reference in the message to the operator on call."),
}


def place(error: BaseException) -> str:
    """Return where an exception came from, innermost first, without any message: its text may quote what was held."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames))


class FrsError(Exception):
    """A failure from the catalogue. ``metadata`` goes to the caller: no names, images or secrets in it."""

    def __init__(self, reason: Reason, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = metadata

    @property
    def status(self) -> Status:
        """The canonical status the edge answers with."""
        return CATALOGUE[self.reason].status

    @property
    def advice(self) -> str:
        """What the person should do."""
        return CATALOGUE[self.reason].advice
