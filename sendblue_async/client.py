"""The asynchronous client: every endpoint, and the batches that are made of them."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping, Sequence
from functools import partial
from types import FunctionType
from typing import IO, Any, Literal, TypeVar

from . import batch
from ._arguments import NoOthers, hide_others, misspelling_error
from ._checks import check_flags
from ._endpoints import Endpoints
from ._rate_limits import RateLimiter, make_rate_limiter
from .batch import ContactResult, ImportProgress, ImportReport, SendOptions
from .batch._contacts import find_contacts
from .batch._rows import RowsOrFile
from .batch._sending._bulk import BulkCreator
from .batch._sending._company import CompanyCreator
from .batch._sending._worker_pool import Create, WorkerPool, check_source, make_item
from .exceptions import ConfigurationError

if sys.version_info >= (3, 11):
    from typing import Unpack
else:
    from typing_extensions import Unpack

__all__ = ["SendblueClient"]

_DEFAULTS = SendOptions()
_Row = TypeVar("_Row")


class SendblueClient(Endpoints):
    """The asynchronous client of Sendblue's contacts API.

    Make one and keep it for the life of the program; it may be made before any event loop
    runs, and used from several. It opens connections on first use, so leave it with ``async
    with`` or :meth:`close`. All arguments have working defaults.

    Args:
        api_key: The API key. By default both keys are looked for at the first call, and then
            kept: in the environment as ``SENDBLUE_API_API_KEY`` and ``SENDBLUE_API_API_SECRET``,
            ``SENDBLUE_API_KEY`` and ``SENDBLUE_API_SECRET``, or ``SENDBLUE_API_KEY_ID`` and
            ``SENDBLUE_API_SECRET_KEY``, and in the credentials file of Sendblue's command-line
            tool. The first of these that has both is used.
        api_secret: The API secret.
        access_token: A bearer token in place of the two keys, or a function that returns one,
            async or not. It returns text, an :class:`AccessToken`, or what ``POST
            /v3/auth/tokens`` answers with. It is asked at the first call, shortly before a token
            expires, and when one is refused; all calls wait for one answer. A function that is
            not async is called on a thread of its own, so it may block.
        base_url: Where the API is. By default ``SENDBLUE_API_BASE_URL`` at the first call, or
            else ``https://api.sendblue.co``.
        timeouts: How long things may take; see :class:`Timeouts`.
        retry: How often and how patiently a call is attempted; see :class:`RetryPolicy`.
        max_connections: Requests in flight at once, per event loop. Further calls queue.
        rate_limit: Requests per second at most, evenly spaced, or a
            :class:`~sendblue_async.RateLimiter`. No limit by default.
        default_headers: Headers sent with every request, besides the client's own.
        proxy: URL of a forward proxy. By default ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``
            decide, as they are at the first call.
        ssl: TLS settings of your own. By default the system's certificates are trusted, or
            those that ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name.
        trace_configs: Hooks for the client's aiohttp session, such as OpenTelemetry's.
        session: An aiohttp session of your own, used for every request and left open. It has
            its own proxy, TLS and trace settings, and belongs to one event loop. Where others
            use it too, a wait for one of its connections counts as connecting.
        allow_http: Whether ``base_url`` may be plain http to a host that is not loopback,
            which sends the keys in the clear. Default false.
        on_event: A function that gets each :class:`CallEvent`, or several: a failed attempt, a
            retry, the end of a call. It runs on the event loop's thread, so it must not block; it
            must not be async; and what it raises is logged and breaks no call.

    Raises:
        ConfigurationError: If an argument is not usable. A key that is not found, or a variable
            that is not usable, is reported by the first call, and looked for again by the next.
    """

    @hide_others
    def create_contacts(
        self,
        source: Iterable[_Row] | AsyncIterable[_Row],
        *,
        columns: Sequence[str] | None = None,
        update_if_exists: bool | None = None,
        concurrency: int = _DEFAULTS.concurrency,
        rate_limit: float | RateLimiter | None = None,
        give_up_after: float = _DEFAULTS.give_up_after,
        bulk: bool = False,
        send_options: SendOptions | None = None,
        **others: Unpack[NoOthers],
    ) -> AsyncGenerator[ContactResult[_Row], None]:
        """Create many contacts, with a result for each as it finishes; use it with ``async for``.

        Every row of the source gets one result, unless an error ends the batch. Rows are pulled
        when there is room for them and not before, so that memory does not grow with their
        number; the blocking client pulls them on the thread that iterates over the results, and
        only while it waits for one. Rows of one number are sent one after another, in their order.

        A contact whose call fails, retries included, because the server or the network is in
        trouble, is retried. While nothing succeeds, calls are made one at a time, after
        waits of one second and more; a contact that fails ten times while others succeed gets
        ``"unknown"`` or ``"rejected"``.

        Without a ``rate_limit`` the batch discovers the server's: it begins with twenty requests a
        second, goes faster as long as nothing is refused, and slows down after a 429. If the client
        was given a :class:`~sendblue_async.RateLimiter`, the batch keeps to that one instead.

        Leave the iteration early with :func:`contextlib.aclosing`, which cancels what is in
        flight. On the blocking client that is ``contextlib.closing``.

        Args:
            source: The contacts: each a :class:`~sendblue_async.models.BatchContact`, or a row
                with its fields by name: a mapping, ``sqlite3.Row``, named tuple or dataclass. Any
                iterable, asynchronous or not, a pandas or polars DataFrame or a cursor. What is
                missing, such as NaN, is left out, as are blank cells of a DataFrame or cursor.
            columns: The names of the fields, for rows without names, such as tuples.
            update_if_exists: Whether to update contacts that exist, for those that do not say
                so themselves.
            concurrency: How many contacts are in flight at once. Default 32.
            rate_limit: Requests per second at most, retries and look-ups included, or a
                :class:`~sendblue_async.RateLimiter`. The client's own limit is kept, too.
            give_up_after: Seconds without any success after which the batch ends. Default 600.
            bulk: Whether contacts that are in flight together go into one request of
                :meth:`create_contacts_bulk`, at most as many as ``concurrency`` says. Contacts
                that it cannot take, or did not create, are created one by one. Default false.
            send_options: The four options before this one as one object, instead of them.

        Raises:
            ValidationError: If the source or one of its columns cannot be used; nothing was sent.
            ConfigurationError: If an option is not usable, or contacts were to be updated in
                bulk; nothing was sent.
            SendblueError: If the keys, the account or the connection's security are not
                accepted, or there was no success for too long. It comes after the results of
                what was in flight.
        """
        if others:
            raise misspelling_error(SendblueClient.create_contacts, others)
        options = SendOptions.of(
            send_options,
            concurrency=concurrency,
            rate_limit=rate_limit,
            give_up_after=give_up_after,
            bulk=bulk,
        )
        options.check_update(update_if_exists)
        pool, _ = self._make_worker_pool(options, read=True)
        check_source(source)
        rows = find_contacts(source, columns)
        return pool.results(rows, partial(make_item, update_if_exists=update_if_exists))

    @hide_others
    async def import_contacts(
        self,
        source: RowsOrFile,
        *,
        update_if_exists: bool = False,
        only_changes: bool = False,
        region: str | None = None,
        columns: Mapping[str, str] | Sequence[str] | None = None,
        on_duplicate: Literal["merge", "last"] = "merge",
        all_numbers: bool = False,
        accept_doubts: bool = False,
        format: str | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        sheet: str | int | None = None,
        header: bool = True,
        concurrency: int = _DEFAULTS.concurrency,
        rate_limit: float | RateLimiter | None = None,
        give_up_after: float = _DEFAULTS.give_up_after,
        bulk: bool = False,
        journal: str | os.PathLike[str] | None = None,
        rejected: str | os.PathLike[str] | None = None,
        results: str | os.PathLike[str] | None = None,
        resume: bool = False,
        start_over: bool = False,
        progress: Callable[[ImportProgress], object] | None = None,
        **others: Unpack[NoOthers],
    ) -> ImportReport:
        """Import contacts from a file or from rows, with every row accounted for.

        The source is checked as a whole before anything is sent. A journal beside it,
        ``<path>.journal``, records what was begun and what has ended. However an import was
        interrupted, ``resume=True`` picks up where it stopped: no row is lost or sent twice, except
        those in flight, which are looked up. Rejected rows are written to ``<path>.rejected.csv``,
        which can be mended and imported.

        It needs the extra ``sendblue-async[batch]``.

        Args:
            source: The path of a file, which may be compressed with gzip. Excel and OpenDocument
                workbooks are known by their content, and need the extra ``excel``. Other files are
                JSON Lines if their names end in ``.jsonl`` or ``.ndjson``, vCard if in ``.vcf`` or
                ``.vcard``, and CSV otherwise; without an ending, the content decides.
                Or ``"-"`` for standard input; an open file, read from where it is, and left open;
                a pandas or polars DataFrame; a cursor; or an iterable, asynchronous or not, of
                rows with names: mappings, ``sqlite3.Row``, named tuples, dataclasses. These are
                copied to a temporary file before anything is sent. What is missing, such as NaN,
                is a blank cell.
            update_if_exists: Whether contacts that exist are updated, or left alone.
            only_changes: Whether contacts whose stored values agree with the file are left out.
                The account is listed for that, a thousand contacts a request. It needs
                ``update_if_exists``.
            region: The region of numbers without ``+``, such as ``"US"``; by default those are
                rejected.
            columns: Column names and the fields they hold, where the names do not say so:
                ``{"Mobile no.": "number", "Plan": "custom_variables.plan"}``. For rows without
                names, such as tuples, a list of the names of their columns.
            on_duplicate: Whether rows of one number are merged into one contact, the later
                values before the earlier ones, or the last one wins.
            all_numbers: Whether each usable number of a row becomes a contact, or only the first.
            accept_doubts: Whether to go ahead where the file can be read in more than one way; by
                default it is refused. See :class:`~sendblue_async.batch.ImportMapping`.
            format: The file's format: ``"csv"``, ``"jsonl"``, ``"vcard"``, ``"xlsx"``, ``"xls"``
                or ``"ods"``. Detected by default.
            encoding: The file's encoding. Detected by default.
            delimiter: Separator of the cells of CSV. Detected by default.
            header: Whether a CSV file has a header; else ``columns`` go by position, from ``"1"``.
            sheet: The sheet of a workbook, by its name or its number from 1. By default the first
                visible one that has rows.
            concurrency, rate_limit, give_up_after, bulk: As for :meth:`create_contacts`.
            journal: The journal's path. Without it, only a file has a journal; a source that is
                none can then not be resumed. It is known again by its content.
            rejected: The path of the file of rejected rows. Without it, those of a source that is
                no file, or of a dry run, are only counted.
            results: Where a line for each row is written, unless it is stopped: as JSON Lines
                if the name ends in ``.jsonl`` or ``.ndjson``, else as CSV.
            resume: Whether to resume an interrupted import of this source. Default false.
            start_over: Whether to start over, whatever the journal says of an earlier import:
                every row is sent, and what that one left in flight is not looked up. Default false.
            progress: Called now and then with an :class:`~sendblue_async.batch.ImportProgress`.

        Raises:
            ValidationError: If the source cannot be used, or fails; nothing was sent.
            ConfigurationError: If the extra is not installed, or an option is not usable; nothing
                was sent.
            JournalError: If the journal is another's, in use, damaged or on a full disk, or the
                file has changed since; nothing is sent from there on. Its ``outcome`` is
                ``"unknown"`` if this run may have sent contacts before.
            SendblueError: As from :meth:`create_contacts`; the journal is kept.
        """
        if others:
            raise misspelling_error(SendblueClient.import_contacts, others)
        options = batch.ImportOptions(
            update_if_exists=update_if_exists,
            only_changes=only_changes,
            region=region,
            columns=columns,
            on_duplicate=on_duplicate,
            all_numbers=all_numbers,
            accept_doubts=accept_doubts,
            format=format,
            encoding=encoding,
            delimiter=delimiter,
            sheet=sheet,
            header=header,
        )
        send_options = SendOptions(
            concurrency=concurrency, rate_limit=rate_limit, give_up_after=give_up_after, bulk=bulk
        )
        job = self.import_job(
            source,
            options,
            send_options,
            journal=journal,
            rejected=rejected,
            results=results,
            resume=resume,
            start_over=start_over,
            progress=progress,
        )
        return await job.run()

    @hide_others
    def import_job(
        self,
        source: RowsOrFile,
        import_options: batch.ImportOptions | None = None,
        send_options: SendOptions | None = None,
        *,
        journal: str | os.PathLike[str] | None = None,
        rejected: str | os.PathLike[str] | None = None,
        results: str | os.PathLike[str] | None = None,
        resume: bool = False,
        start_over: bool = False,
        progress: Callable[[ImportProgress], object] | None = None,
        **others: Unpack[NoOthers],
    ) -> batch.ImportJob:
        """Prepare an import as a job that you can run, stop and try out.

        :meth:`import_contacts` does the same in one call.

        Args:
            source: The file or the rows, as for :meth:`import_contacts`.
            import_options: How it is read; see :class:`~sendblue_async.batch.ImportOptions`.
            send_options: How its contacts are sent; see
                :class:`~sendblue_async.batch.SendOptions`.
            journal, rejected, results: As for :meth:`import_contacts`.
            resume, start_over, progress: As for :meth:`import_contacts`.

        Raises:
            ValidationError: If the source is none.
            ConfigurationError: If the extra is not installed, or an option is not usable.
        """
        if others:
            raise misspelling_error(SendblueClient.import_job, others)
        options = batch.ImportOptions() if import_options is None else import_options
        if not isinstance(options, batch.ImportOptions):
            raise ConfigurationError(f"import_options must be ImportOptions, not {options!r}.")
        send_options = SendOptions.of(send_options)
        send_options.check_update(options.update_if_exists)
        check_flags(resume=resume, start_over=start_over)
        if progress is not None and not callable(progress):
            raise ConfigurationError(f"progress must be a function, not {progress!r}.")
        # Loaded only now: it brings SQLite and more, which other programs do not wait for.
        workers, limited = self._make_worker_pool(send_options, read=False)
        return batch.ImportJob(
            source,
            options,
            send_options,
            workers=workers,
            fetch_page=limited._list,
            account=lambda: self._transport.account,
            journal=journal,
            rejected=rejected,
            results=results,
            resume=resume,
            start_over=start_over,
            progress=progress,
        )

    @hide_others
    async def export_contacts(
        self,
        target: str | os.PathLike[str] | IO[Any],
        *,
        format: Literal["csv", "jsonl", "xlsx"] | None = None,
        overwrite: bool = False,
        **others: Unpack[NoOthers],
    ) -> batch.ExportReport:
        """Export all contacts of the account to a file, which :meth:`import_contacts` reads back.

        Contacts are written as they are listed, so memory does not grow with their number. A file
        is replaced as a whole at the end, or left alone. Reads may lag behind writes: what was
        changed some seconds ago may be missing.

        It needs the extra ``sendblue-async[batch]``, and ``excel`` for a workbook.

        Args:
            target: The name of the file, or a file that is open for writing and stays open.
            format: How it is written. By default the name of the file says so, and an open file
                gets CSV.
            overwrite: Whether a file that exists is replaced, or an error. Default false.

        Raises:
            ValidationError: If the file exists, or cannot be written there; nothing was listed.
                Also if the contacts do not fit into a workbook.
            ConfigurationError: If an extra is not installed, or an option is not usable.
            JournalError: If the disk for temporary files fails.
            OSError: If the file cannot be written any further.
            SendblueError: As from :meth:`iter_contacts`.
        """
        if others:
            raise misspelling_error(SendblueClient.export_contacts, others)
        check_flags(overwrite=overwrite)
        # Loaded only now, as for an import.
        from .batch._exporting._export import export_account

        return await export_account(self._list, target, format=format, overwrite=overwrite)

    def _make_worker_pool(
        self, options: SendOptions, *, read: bool
    ) -> tuple[WorkerPool, SendblueClient]:
        """Make the workers that send a batch, and the view of this client with their rate limit.

        They read the answers only if somebody looks.
        """
        transport = self._transport
        limiter = make_rate_limiter(
            options.rate_limit, parent=transport.rate_limiter, clock=transport.clock
        )
        limited = self._with_rate_limiter(limiter)
        create: Create = limited._create if read else limited._store
        create = CompanyCreator(create, limited._create_one_in_bulk, limited._update)
        if options.bulk:
            create = BulkCreator(create, limited.create_contacts_bulk, clock=transport.clock)
        pool = WorkerPool(create, rate_limiter=limiter, options=options, clock=transport.clock)
        return pool, limited


for _class in SendblueClient.__mro__[:-1]:
    for _name, _method in vars(_class).items():
        # Errors of Python's own, such as for too many arguments, name what users know.
        if isinstance(_method, FunctionType) and (_name == "__init__" or _name[0] != "_"):
            _method.__qualname__ = f"SendblueClient.{_name}"
