"""What happens to every call before and after a servicer: who calls, may they, is the request sound, what is answered.

In this order: the caller is recognised by the call's token or the connection's certificate and admitted with what is
left of what that grants, the identity's limits are asked (:mod:`frs.server.limiting`), then the method table, the
service's phase is checked, a sign-in is logged, the request is decoded and validated, the servicer runs. A stream ends
when its caller may not go on (:mod:`frs.server.standing`), or when the service may answer nobody any more
(:meth:`frs.server.readiness.Readiness.require`). A call that its caller may not make is an event of the log
(:mod:`frs.server.refusals`). A failure of the catalogue becomes a rich status; any other exception becomes INTERNAL
with a reference that is logged with the place it came from. Neither requests nor messages of unknown exceptions, which
may quote them, reach the service's own log.
"""

from __future__ import annotations

import asyncio
import inspect
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from frs.access.actor import Identity
from frs.access.admission import Admission
from frs.access.limits import Quotas
from frs.access.methods import METHODS, authorise
from frs.clock import Clock
from frs.errors import FrsError, Reason, Status, place
from frs.server.caller import VerifiesTokens, caller, caller_identity, identify, set_caller, shown_certificate
from frs.server.ending import endable
from frs.server.limiting import CountedCall, counted
from frs.server.metrics import Metrics
from frs.server.readiness import Readiness
from frs.server.refusals import Refusals
from frs.server.signing_in import SigningIn
from frs.server.standing import Standing
from frs.server.status import to_status
from frs.server.validation import Limits, validate
from frs.types import Actor

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

STANDARD = "/grpc."
"""Health and reflection answer in every phase."""

# The stubs type handlers for synchronous servers; grpc.aio calls them with coroutines.
_UNARY: Callable[..., Any] = grpc.unary_unary_rpc_method_handler

LAST_WRITE_SECONDS = 1.0

_ENDS_BY_ITSELF = "/frs.v1.LiveService/Stream"
"""Finishes and counts the frames that it has taken, and then tells why."""

_REFUSED = frozenset({Status.PERMISSION_DENIED, Status.UNAUTHENTICATED})

log = structlog.get_logger()


class Edge(grpc.aio.ServerInterceptor):
    """The one interceptor."""

    def __init__(
        self,
        readiness: Readiness,
        limits: Limits,
        metrics: Metrics,
        clock: Clock,
        *,
        tls: bool,
        refusals: Refusals | None = None,
        tokens: VerifiesTokens | None = None,
        admission: Admission | None = None,
        signing_in: SigningIn | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        """Make the edge: without ``tokens`` it accepts none, without ``refusals`` and ``signing_in`` it logs none.

        Without ``quotas`` an identity may ask for as much as it likes.
        """
        self._readiness = readiness
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._tls = tls
        self._refusals = refusals
        self._tokens = tokens
        self._admission = admission or Admission()
        self._signing_in = signing_in
        self._quotas = quotas
        self.standing = Standing(self._admission, clock)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the method's handler."""
        method = handler_call_details.method
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return self._unknown(method)
        if handler.response_streaming:
            return self._streaming(method, handler)
        if handler.request_streaming:
            return self._collecting(method, handler)
        return self._unary(method, handler)

    def _unknown(self, method: str) -> Any:
        async def refuse(_: bytes, context: Context) -> None:
            async with self._guard(method, context):
                raise FrsError(Reason.METHOD_UNKNOWN, f"there is no method {method[:200]}")

        return _UNARY(refuse)

    def _unary(self, method: str, handler: Any) -> Any:
        async def call(data: bytes, context: Context) -> Any:
            async with self._guard(method, context) as counting:
                await self._admit(method)
                counting.take(data)
                request = self._request(handler, data)
                return await handler.unary_unary(request, context)

        return _like(handler, _UNARY, call)

    def _collecting(self, method: str, handler: Any) -> Any:
        async def call(messages: AsyncIterator[bytes], context: Context) -> Any:
            async with self._guard(method, context, stream=True) as counting:
                await self._admit(method)
                return await handler.stream_unary(self._validated(handler, messages, counting), context)

        return _like(handler, grpc.stream_unary_rpc_method_handler, call)

    def _streaming(self, method: str, handler: Any) -> Any:
        behaviour = handler.stream_stream if handler.request_streaming else handler.unary_stream

        async def call(sent: Any, context: Context) -> None:
            async with self._guard(method, context, stream=True) as counting:
                await self._admit(method)
                request: Any
                if handler.request_streaming:
                    request = self._validated(handler, sent, counting)
                else:
                    request = self._request(handler, sent)
                if not inspect.isasyncgenfunction(behaviour):  # writes through the context by itself
                    await behaviour(request, context)
                    return
                # Written here and not by gRPC, so that a cancellation reaches the servicer's generator at once.
                async with aclosing(behaviour(request, context)) as responses:
                    async for response in responses:
                        await _write(context, response)

        make = (
            grpc.stream_stream_rpc_method_handler if handler.request_streaming else grpc.unary_stream_rpc_method_handler
        )
        return _like(handler, make, call)

    async def _validated(
        self, handler: Any, messages: AsyncIterator[bytes], counting: CountedCall
    ) -> AsyncIterator[Message]:
        async for data in messages:
            await counting.take_slowly(data)
            yield self._request(handler, data)

    def _request(self, handler: Any, data: bytes) -> Message:
        request = _decoded(handler, data)
        validate(request, self._limits, len(data))
        return request

    async def _admit(self, method: str) -> None:
        authorise(caller(), method)
        if not method.startswith(STANDARD):
            self._readiness.require()
            if self._signing_in is not None:
                await self._signing_in.heed(caller_identity(), method)

    @asynccontextmanager
    async def _guard(self, method: str, context: Context, *, stream: bool = False) -> AsyncIterator[CountedCall]:
        label = method if method in METHODS else "unknown"
        with self._measured(label, stream=stream) as outcome:
            granted: Identity | None = None
            actor: Actor | None = None
            try:
                now, certificate = self._clock.now(), shown_certificate(context) or None
                granted = await identify(context, now, tls=self._tls, tokens=self._tokens)
                identity = self._admission.admit(granted, certificate, now)
                actor = identity.actor
                set_caller(identity)
                async with AsyncExitStack() as held:
                    counting = held.enter_context(counted(self._quotas, actor.name, method, stream=stream))
                    if stream:
                        standing = self.standing.stream(actor, method, granted, certificate)
                        await held.enter_async_context(standing)
                        await held.enter_async_context(self._while_served(method))
                    yield counting
                return
            except FrsError as error:
                failure = error
                refused = error.status in _REFUSED or error.reason is Reason.RATE_LIMITED
                if granted is not None and error.reason is Reason.IDENTITY_REVOKED:
                    actor = granted.actor  # recognised beyond doubt, and refused for who it is
                if refused and self._refusals is not None:
                    await self._refusals.tell(actor, label, error, shown_certificate(context))
                if error.status in {Status.INTERNAL, Status.DATA_LOSS}:
                    log.error("request failed", method=label, reason=str(error.reason))
            except grpc.aio.AbortError:  # a standard servicer's own answer
                outcome.code = "ABORTED_BY_SERVICER"
                raise
            except Exception as error:  # noqa: BLE001  # the last resort of the edge: nothing of it may reach the caller
                failure = _internal(label, error)
            outcome.code = str(failure.status)
        await context.abort_with_status(to_status(failure))

    @asynccontextmanager
    async def _while_served(self, method: str) -> AsyncIterator[None]:
        """End a stream when requests are refused: by the policy on the witness, or because it proved a fork."""
        if method == _ENDS_BY_ITSELF or method.startswith(STANDARD):
            yield
            return
        async with endable() as end:
            take_off = self._readiness.on_observed(lambda refusal: None if refusal is None else end(refusal))
            try:
                yield
            finally:
                take_off()

    @contextmanager
    def _measured(self, label: str, *, stream: bool) -> Iterator[_Outcome]:
        started, outcome = time.monotonic(), _Outcome()
        if stream:
            self._metrics.streams.labels(label).inc()
        try:
            yield outcome
        except asyncio.CancelledError:  # by the client, or by the server's stop
            outcome.code = str(Status.CANCELLED)
            raise
        finally:
            self._metrics.requests.labels(label, outcome.code).inc()
            if stream:
                self._metrics.streams.labels(label).dec()
            else:
                self._metrics.latency.labels(label).observe(time.monotonic() - started)


@dataclass(slots=True)
class _Outcome:
    """The code that a call is counted under."""

    code: str = "OK"


async def _write(context: Context, response: Any) -> None:
    """Send one answer of a stream. A cancellation waits for it: gRPC sends no status while a message is on its way."""
    writing = asyncio.ensure_future(context.write(response))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait({writing}, timeout=LAST_WRITE_SECONDS)  # not for ever: the client may have stopped reading
        if writing.done() and not writing.cancelled():
            writing.exception()  # the cancellation says it
        raise


def _internal(method: str, error: Exception) -> FrsError:
    reference = secrets.token_hex(6)
    log.error("request failed", method=method, reference=reference, error=type(error).__name__, where=place(error))
    return FrsError(
        Reason.INTERNAL, f"the request failed inside the service; reference {reference}", reference=reference
    )


def _decoded(handler: Any, data: bytes) -> Message:
    try:
        request: Message = handler.request_deserializer(data)
    except DecodeError:
        raise FrsError(Reason.INVALID_FIELD, "the message cannot be decoded") from None
    return request


def _like(handler: Any, make: Callable[..., Any], behaviour: Callable[..., Any]) -> Any:
    # No deserializer: gRPC would run it outside the behaviour and answer what it raises with UNKNOWN.
    return make(behaviour, response_serializer=handler.response_serializer)
