"""Settings: built once in ``main``, frozen, passed down; never read at import.

Sources, strongest first: command-line flags, environment (``FRS_`` with ``__`` between levels, for example
``FRS_EMBED__REQUIRE_GPU=true``), ``frs.toml`` in the data directory, the defaults below.
Every setting is documented in ``docs/settings.md`` (a test compares).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerSettings(_Group):
    """The gRPC edge."""

    address: str = Field("127.0.0.1:7443", description="Host and port the gRPC server listens on.")
    metrics_address: str = Field(
        "127.0.0.1:0", description="Host and port of /metrics and /health; empty turns it off."
    )
    tls: bool = Field(True, description="TLS with client certificates; false is accepted on loopback only.")
    reflection: bool = Field(False, description="Offer gRPC server reflection.")
    max_message_mib: int = Field(
        21, ge=1, le=64, description="Largest message accepted, MiB (a 20 MiB photograph and its fields)."
    )
    request_workers: int = Field(8, ge=1, le=256, description="Threads for unary requests.")
    drain_seconds: float = Field(20.0, ge=0, description="How long SIGTERM waits for requests and streams to finish.")


class AccessSettings(_Group):
    """Who is recognised, and how much one identity may ask for."""

    token_address: str = Field(
        "", description="Host and port for callers with a token and no certificate (TLS); empty turns it off."
    )
    issuer: str = Field(
        "", description="OpenID Connect issuer whose tokens are accepted, an https address; empty accepts none."
    )
    audience: str = Field("frs", description="Audience that a token must name.")
    issuer_ca: str = Field("", description="Certificate authority of the issuer's https address; empty: the system's.")
    name_claim: str = Field("sub", description="Claim that names the identity; the same name as in its certificates.")
    roles_claim: str = Field("roles", description="Claim that lists the roles, as certificates name them.")
    scope_claim: str = Field(
        "frs_scope", description="Claim that limits the identity: an object with watchlists, deployments and sites."
    )
    clock_skew_seconds: float = Field(30.0, ge=0, le=300, description="How far the issuer's clock may be from ours.")
    token_max_seconds: float = Field(3600.0, gt=0, description="Longest life of a token, from issue to expiry.")
    keys_seconds: float = Field(
        300.0, gt=0, description="How long the issuer's keys are used before they are asked anew."
    )
    keys_stale_seconds: float = Field(
        86400.0, gt=0, description="How long known keys are used while the issuer cannot be reached."
    )
    issuer_timeout_seconds: float = Field(5.0, gt=0, description="How long an answer of the issuer is waited for.")
    session_seconds: float = Field(
        900.0, gt=0, description="A sign-in is logged when an identity's credential was not used for this long."
    )
    reload_seconds: float = Field(
        1.0, gt=0, description="How often certificates and the authority's revocations are looked at for changes."
    )
    requests_per_second: float = Field(100.0, gt=0, description="Sustained requests of one identity.")
    request_burst: int = Field(500, ge=1, description="Requests of one identity at once, above the sustained rate.")
    concurrent_requests: int = Field(64, ge=1, description="Unary requests of one identity under way at once.")
    concurrent_streams: int = Field(64, ge=1, description="Open streams of one identity.")
    mib_per_second: float = Field(
        200.0,
        gt=0,
        description="Sustained bytes that one identity sends, MiB; streams are slowed down, requests refused.",
    )
    refusals_per_minute: int = Field(
        60, ge=1, description="Refused calls of one identity in a minute, after which its calls are not looked at."
    )


class EmbedSettings(_Group):
    """Pictures, faces and templates."""

    pack: str = Field("starter", description="Name of the model pack in models_dir, or a folder.")
    profile: Literal["auto", "plain", "mirror"] = Field(
        "auto",
        description="Scoring profile: plain, or mirror (the template averages a face and its mirror image); "
        "auto takes the pack's.",
    )
    require_gpu: bool = Field(False, description="Refuse to start unless the CUDA provider is in use.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Which ONNX Runtime provider to ask for.")
    gpu_memory_mib: int = Field(0, ge=0, description="Cap of the CUDA arena, MiB; 0 leaves ONNX Runtime's default.")
    cudnn_search: Literal["EXHAUSTIVE", "HEURISTIC", "DEFAULT"] = Field(
        "HEURISTIC", description="cuDNN convolution algorithm search."
    )
    fixed_batch: bool = Field(False, description="Pad batches to max_batch so that CUDA sees one shape.")
    threads: int = Field(0, ge=0, description="ONNX Runtime intra-op threads; 0 is one per core.")
    max_batch: int = Field(32, ge=1, le=512, description="Most faces in one recogniser call.")
    batch_wait_ms: float = Field(2.0, ge=0, le=100, description="How long a batch waits for more faces, milliseconds.")
    queue_faces: int = Field(
        512, ge=1, description="Faces that may wait for the recogniser; beyond it requests are refused."
    )
    detector_size: int = Field(
        640, ge=160, le=2560, multiple_of=32, description="Longer side the picture is scaled to for detection, pixels."
    )
    detector_score: float = Field(0.5, gt=0, lt=1, description="Least detector confidence for a face.")
    max_picture_mib: int = Field(20, ge=1, description="Largest encoded picture, MiB.")
    max_picture_megapixels: int = Field(50, ge=1, description="Largest picture after decoding, megapixels.")


class QualitySettings(_Group):
    """Least quality of a face that is matched; enrolment may ask for more."""

    min_face: float = Field(32.0, description="Least shorter side of the face box, pixels.")
    min_face_enrol: float = Field(48.0, description="The same for enrolment, pixels.")
    min_sharpness: float = Field(15.0, description="Least variance of the Laplacian of the aligned face.")
    min_brightness: float = Field(25.0, description="Least mean grey level, 0 to 255.")
    max_brightness: float = Field(240.0, description="Greatest mean grey level, 0 to 255.")
    max_pose: float = Field(0.75, description="Greatest pose deviation, 0 frontal to 1 profile.")
    min_detector_score: float = Field(0.6, description="Least detector confidence for a face to be matched.")
    max_cut_off: float = Field(0.15, ge=0, le=1, description="Greatest share of the face outside the picture.")


class WatchlistSettings(_Group):
    """Policy for watchlists."""

    categories: tuple[str, ...] = Field(
        ("wanted", "suspect", "missing", "vulnerable", "risk-of-harm"), description="Categories that the policy allows."
    )
    max_images: int = Field(20, ge=1, le=100, description="Most images per subject.")


class LiveSettings(_Group):
    """Live matching."""

    max_streams: int = Field(64, ge=1, description="Most camera streams at once.")
    workers: int = Field(4, ge=1, le=64, description="Threads that process live frames.")
    queue_frames: int = Field(4, ge=1, le=64, description="Frames held per camera; the newest win.")
    min_frames: int = Field(3, ge=1, description="Usable frames of a track that must be seen before an alert.")
    max_frames: int = Field(10, ge=1, description="Best frames of a track that count as evidence.")
    track_lost_seconds: float = Field(
        2.0, gt=0, description="A track ends when its face was not seen for this long, capture time."
    )
    cooldown_seconds: float = Field(
        60.0, ge=0, description="No second alert for a person on a camera within this time, capture time."
    )
    minute_seconds: float = Field(60.0, gt=0, description="Interval of the per-camera count event.")


class ReviewSettings(_Group):
    """How people decide."""

    reviewers: int = Field(1, ge=1, le=2, description="Independent reviewers who must decide each case.")
    officers_before_adjudication: bool = Field(
        False, description="Send alerts to officers at once, before anybody has compared the faces."
    )
    withhold_score: bool = Field(
        True, description="Withhold the score from a reviewer until they have recorded what they see."
    )
    min_features: int = Field(3, ge=1, le=9, description="Features that an observation compares at least.")
    claim_seconds: float = Field(300.0, gt=0, description="How long a claim lasts unless it is extended.")
    escalate_red_seconds: float = Field(30.0, gt=0, description="A red case escalates when nobody took it for so long.")
    escalate_amber_seconds: float = Field(120.0, gt=0, description="The same for an amber case.")
    escalate_green_seconds: float = Field(600.0, gt=0, description="The same for a green case.")
    stale_seconds: float = Field(1800.0, gt=0, description="A live alert that nobody decided expires after so long.")
    candidates_escalate_hours: float = Field(
        24.0, gt=0, description="A candidate list escalates when nobody took it for so long."
    )
    keep_frame: bool = Field(
        True, description="Keep the best frame of an alert, sealed, so that reviewers see the surroundings, blurred."
    )
    frame_pixels: int = Field(1280, ge=320, le=4096, description="Longer side of the frame that is kept, pixels.")
    vigilance_rate: float = Field(0.0, ge=0, le=1, description="Vigilance checks for each live alert.")
    vigilance_delay_seconds: float = Field(
        60.0, ge=0, le=600, description="A check enters the queue within so long after the alert it is due for."
    )
    saliency_grid: int = Field(
        7, ge=3, le=16, description="Regions along each side of the face in the map of what drives the similarity."
    )


class RetrospectiveSettings(_Group):
    """Retrospective searches."""

    max_upload_mib: int = Field(4096, ge=1, description="Largest upload, MiB.")
    video_fps: float = Field(5.0, gt=0, description="Frames per second examined in a video.")
    segment_seconds: float = Field(
        60.0, gt=0, description="A video's results are committed for each such stretch; tracks end there, seconds."
    )
    video_stall_seconds: float = Field(
        30.0, gt=0, description="A video that yields no frame for this long is given up."
    )
    max_candidates: int = Field(50, ge=1, le=1000, description="Most candidates per face.")


class OperatorSettings(_Group):
    """Operator-initiated searches."""

    keep_matched_probe: bool = Field(False, description="Keep a matched probe, sealed, until its outcome is recorded.")
    max_candidates: int = Field(5, ge=1, le=100, description="Most candidates returned.")
    outcome_due_seconds: float = Field(
        3600.0, gt=0, description="An outcome that is owed for longer is told to those in charge, once."
    )
    dominant_face_ratio: float = Field(
        2.0,
        ge=1.0,
        description="With several faces the largest is searched when its area is this many times the next; "
        "else refused.",
    )


class AuditSettings(_Group):
    """The tamper-evident log."""

    origin: str = Field("", description="Origin line of checkpoints; empty derives frs.local/<installation id>.")
    checkpoint_seconds: float = Field(5.0, gt=0, description="A checkpoint is signed at most this long after an event.")
    verify_at_start: bool = Field(True, description="Verify the whole log before serving, payloads left sealed.")
    witness_url: str = Field("", description="Address of the witness, http or https; empty for none.")
    witness_vkey: str = Field("", description="The witness's verifier key, or the file that holds it.")
    witness_ca: str = Field(
        "", description="Certificate authority of the witness's https address; empty: the system's."
    )
    witness_policy: Literal["warn", "stop"] = Field(
        "warn", description="While the witness is down: serve and warn, or refuse to serve."
    )
    witness_grace_seconds: float = Field(
        300.0, ge=0, description="How long the newest events may be without a cosignature before the policy applies."
    )
    witness_timeout_seconds: float = Field(5.0, gt=0, description="How long an answer of the witness is waited for.")


class StoreSettings(_Group):
    """The database."""

    url: str = Field("", description="SQLAlchemy URL; empty is SQLite in the data directory.")
    group_commit: int = Field(64, ge=1, le=1024, description="Most acts in one database commit.")
    keyring_dir: str = Field("", description="Folder of keys, apart from the database; empty is <data_dir>/keyring.")
    kek: str = Field(
        "file",
        description="Who keeps the key-encryption key: file (in the keyring's folder), or module:Class of an adapter "
        "to a key management service.",
    )
    keyring_backup_days: float = Field(
        7.0, gt=0, description="How long a copy of the keyring may live; an older one is not restored."
    )


class RetentionSettings(_Group):
    """How long things are kept; each change is a new version of the policy, in the log."""

    alert_picture_hours: float = Field(24.0, gt=0, description="Both pictures of an alert, after it was raised.")
    alert_hours: float = Field(
        24.0, gt=0, description="What names a person in an alert, after it was raised; counts stay."
    )
    upload_hours: float = Field(24.0, gt=0, description="An upload that no job used, after it was announced.")
    job_hours: float = Field(744.0, gt=0, description="Candidates and crops of a job, after it ended.")
    search_hours: float = Field(744.0, gt=0, description="What names people in an operator search, after it was made.")
    watchlist_hours: float = Field(
        24.0, gt=0, description="Everything on the people of a watchlist, after it was retired or expired."
    )
    withdrawn_hours: float = Field(
        744.0, gt=0, description="What names a withdrawn person, after the withdrawal; biometrics go at once."
    )
    payload_hours: float = Field(26304.0, gt=0, description="Payloads of the log's events, after the event.")
    run_seconds: float = Field(60.0, gt=0, description="Interval between the runs that destroy what is due.")


class StatisticsSettings(_Group):
    """Figures and what is recorded for them."""

    groups: tuple[str, ...] = Field(
        ("asian", "black", "mixed", "white", "other", "not-stated"),
        description="Groups by which a person may describe themself after an engagement.",
    )
    least_published: int = Field(
        10, ge=1, description="A breakdown by group or camera with fewer alerts is not published in the register."
    )


class Settings(BaseSettings):
    """All settings of one installation."""

    model_config = SettingsConfigDict(env_prefix="FRS_", env_nested_delimiter="__", frozen=True, extra="forbid")

    data_dir: Path = Field(Path("frs-data"), description="Folder of the database, keyring, certificates and uploads.")
    models_dir: str = Field("", description="Folder of model packs; empty is <data_dir>/models.")
    server: ServerSettings = ServerSettings()
    access: AccessSettings = AccessSettings()
    embed: EmbedSettings = EmbedSettings()
    quality: QualitySettings = QualitySettings()
    watchlist: WatchlistSettings = WatchlistSettings()
    live: LiveSettings = LiveSettings()
    review: ReviewSettings = ReviewSettings()
    retrospective: RetrospectiveSettings = RetrospectiveSettings()
    operator: OperatorSettings = OperatorSettings()
    audit: AuditSettings = AuditSettings()
    store: StoreSettings = StoreSettings()
    retention: RetentionSettings = RetentionSettings()
    statistics: StatisticsSettings = StatisticsSettings()

    @property
    def models_path(self) -> Path:
        """Where model packs lie."""
        return Path(self.models_dir) if self.models_dir else self.data_dir / "models"

    @property
    def keyring_path(self) -> Path:
        """Where keys lie: apart from the database and outside its backups."""
        return Path(self.store.keyring_dir) if self.store.keyring_dir else self.data_dir / "keyring"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: flags, then environment, then ``frs.toml`` beside the data."""
        del dotenv_settings, file_secret_settings  # not read: one file, beside the data
        given = init_settings()
        folder = given.get("data_dir") or env_settings().get("data_dir") or "frs-data"
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(str(folder)) / "frs.toml")
