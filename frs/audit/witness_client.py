"""Speaks to a witness: C2SP tlog-witness ``add-checkpoint``, and what ours adds for erasure journals (docs/witness.md).

Nothing that a witness says is believed without a signature: cosignatures are verified with the witness's key before
they are returned; notes it shows are returned as they are, for the caller to verify with the log's key. Answers are
limited in size, and a call ends after ``timeout`` seconds however slowly they come. Every method raises FrsError:
WITNESS_UNAVAILABLE when there is no answer, WITNESS_UNTRUSTED when the answer is none that an honest witness gives.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import SplitResult, quote, urlsplit

from frs.audit.checkpoints import read_checkpoint
from frs.audit.cosignatures import CosignatureVerifier, add_signatures, checkpoint_of
from frs.audit.erasure_journal import JournalEntry, journal_vkey, parse_journal_text
from frs.audit.notes import Signature, parse_note
from frs.errors import FrsError, Reason

SIZE_TEXT = "text/x.tlog.size"
_MOST_ANSWER_BYTES = 4 * 1024 * 1024
_BEYOND = 2**63 - 1  # a place no journal reaches: the answer is its note alone


class RefusedError(Exception):
    """The witness says that the note does not follow what it has: its word alone, which its latest note must prove."""

    def __init__(self, size: int | None) -> None:
        super().__init__("the witness refuses the note")
        self.size = size
        """The size that it says it has; None when it refuses the proof."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    kind: str
    body: bytes

    def text(self) -> str:
        try:
            return self.body.decode("utf-8")
        except UnicodeDecodeError:
            _untrusted("its answer is no text")


class WitnessClient:
    """One witness. Every method may be called from any thread; each opens a connection of its own."""

    def __init__(self, url: str, vkey: str, ca: str = "", timeout: float = 5.0) -> None:
        """``url`` is the submission prefix; ``ca`` the file of the authority of an https address, else the system's.

        Raises FrsError: SETTINGS_INVALID, WITNESS_UNTRUSTED when the verifier key is none.
        """
        self._url = _check_url(url)
        self.verifier = CosignatureVerifier.parse(vkey)
        self._timeout = timeout
        self._tls: ssl.SSLContext | None = None
        if self._url.scheme == "https":
            try:
                self._tls = ssl.create_default_context(cafile=ca or None)
            except OSError as error:
                message = f"audit.witness_ca: {ca} cannot be used: {error.strerror or error}."
                raise FrsError(Reason.SETTINGS_INVALID, message, setting="audit.witness_ca") from error

    @property
    def name(self) -> str:
        """The witness's name."""
        return self.verifier.name

    def add_checkpoint(self, note: str, old_size: int, proof: Sequence[bytes]) -> str:
        """Submit a checkpoint and return the note with the witness's cosignature, verified.

        ``proof`` leads from ``old_size``, which the witness has, to the note's size. Raises RefusedError when the
        witness has another size or refuses the proof.
        """
        lines = [b"old %d" % old_size, *(base64.b64encode(node) for node in proof)]
        return self._submit("add-checkpoint", lines, note)

    def add_erasures(self, note: str, first: int, entries: Sequence[JournalEntry]) -> None:
        """Submit the journal's entries from number ``first``, up to the size of its note; errors as above."""
        self._submit("add-erasures", [b"old %d" % first, *(entry.leaf() for entry in entries)], note)

    def latest(self, origin: str) -> str | None:
        """Return the newest checkpoint of the log that the witness has, or None; nothing is verified."""
        answer = self._call("GET", f"/checkpoint?origin={quote(origin, safe='')}")
        return self._shown(answer, origin)

    def latest_erasures(self, origin: str) -> str | None:
        """Return the note of the newest erasure journal that the witness has, or None; nothing is verified."""
        text = self._shown(self._page(origin, _BEYOND), origin)
        return None if text is None else _parsed_page(text)[0]

    def erasures(self, origin: str, log_vkey: str = "") -> tuple[str, list[JournalEntry]] | None:
        """Return the journal's signed note and all its entries, or None when the witness has none.

        The caller verifies them with :func:`frs.audit.erasure_journal.check_journal`. With ``log_vkey`` the note, which
        says how many entries there are, is verified before the next page is asked for.
        """
        entries: list[JournalEntry] = []
        while True:
            text = self._shown(self._page(origin, len(entries)), origin)
            if text is None:
                return None
            note, page = _parsed_page(text)
            try:
                if log_vkey:
                    size = read_checkpoint(note, journal_vkey(log_vkey)).size
                else:
                    size = checkpoint_of(parse_note(note).text).size
            except FrsError as error:
                _untrusted(f"the journal's note is not the log's: {error.message}")
            entries += page
            if len(entries) >= size:
                return note, entries[:size]
            if not page:
                _untrusted(f"it gives {len(entries)} entries of a journal of {size}")

    # --- inside ---

    def _submit(self, verb: str, lines: Sequence[bytes], note: str) -> str:
        body = b"".join(line + b"\n" for line in lines) + b"\n" + note.encode("utf-8")
        answer = self._call("POST", f"/{verb}", body)
        if answer.status == 409:
            raise RefusedError(_size(answer))
        if answer.status == 422:
            raise RefusedError(None)
        if answer.status != 200:
            self._no_answer(answer, note.partition("\n")[0])
        signatures = _signatures(answer.text())
        ours = [s for s in signatures if (s.name, s.key_id) == (self.verifier.name, self.verifier.key_id)]
        cosigned = add_signatures(note, ours[:1])
        self.verifier.verify(cosigned)
        return cosigned

    def _page(self, origin: str, first: int) -> _Answer:
        return self._call("GET", f"/erasures?origin={quote(origin, safe='')}&from={first}")

    def _shown(self, answer: _Answer, origin: str) -> str | None:
        if answer.status == 204:
            return None
        if answer.status != 200:
            self._no_answer(answer, origin)
        return answer.text()

    def _no_answer(self, answer: _Answer, origin: str) -> NoReturn:
        if answer.status == 404:
            message = (
                f"The witness {self.name} does not know the log {origin}: whoever runs it adds it with "
                f"`frs witness add-log`."
            )
        elif answer.status == 403:
            message = f"The witness {self.name} knows another key for the log {origin}."
        else:
            message = f"The witness {self.name} answers with HTTP status {answer.status}."
        raise FrsError(Reason.WITNESS_UNAVAILABLE, message, witness=self.name, status=str(answer.status))

    def _call(self, method: str, path: str, body: bytes | None = None) -> _Answer:
        connection = self._connection()
        # A socket's timeout is for each of its waits; this ends the call as a whole.
        watch = threading.Timer(self._timeout, _cut, (connection,))
        watch.daemon = True
        watch.start()
        try:
            headers = {"Connection": "close"}
            if body is not None:
                headers["Content-Type"] = "application/octet-stream"
            connection.request(method, self._url.path.rstrip("/") + path, body, headers)
            response = connection.getresponse()
            content = response.read(_MOST_ANSWER_BYTES + 1)
            if response.length and len(content) <= _MOST_ANSWER_BYTES:  # less came than was announced
                raise http.client.IncompleteRead(content)
        except ssl.SSLCertVerificationError as error:
            message = f"The certificate of {self._url.geturl()} is not trusted: {error.verify_message}."
            raise FrsError(Reason.WITNESS_UNTRUSTED, message, witness=self.name) from error
        except (OSError, http.client.HTTPException) as error:
            message = f"The witness {self.name} at {self._url.geturl()} does not answer ({_cause(error)})."
            raise FrsError(Reason.WITNESS_UNAVAILABLE, message, witness=self.name) from error
        finally:
            watch.cancel()
            connection.close()
        if len(content) > _MOST_ANSWER_BYTES:
            _untrusted("its answer is too long")
        return _Answer(response.status, response.headers.get_content_type(), content)

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=self._timeout)


def _check_url(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        well = parts.scheme in {"http", "https"} and parts.hostname and not parts.query and not parts.fragment
        if not well or parts.port == 0 or not parts.path.isascii():
            raise ValueError("not an http or https address")
    except ValueError as error:
        message = f"audit.witness_url: {url!r}: {error}."
        raise FrsError(Reason.SETTINGS_INVALID, message, setting="audit.witness_url") from error
    return parts


def _size(answer: _Answer) -> int:
    text = answer.body.removesuffix(b"\n")
    if answer.kind != SIZE_TEXT or not text.isdigit() or len(text) > 19:
        _untrusted("it refuses the size and names none")
    return int(text)


def _signatures(text: str) -> tuple[Signature, ...]:
    try:
        return parse_note(f"x\n\n{text}").signatures
    except FrsError:
        _untrusted("its answer is not made of signature lines")


def _parsed_page(text: str) -> tuple[str, list[JournalEntry]]:
    try:
        return parse_journal_text(text.encode("utf-8"))
    except FrsError as error:
        _untrusted(error.message)


def _cut(connection: http.client.HTTPConnection) -> None:
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _cause(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _untrusted(message: str) -> NoReturn:
    raise FrsError(Reason.WITNESS_UNTRUSTED, f"The witness is not trusted: {message}.")
