"""The file tree of a card: directories, elementary files, who may read and update them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

__all__ = ["MF_FID", "Access", "Condition", "Df", "Ef", "FileSystem", "Structure"]

MF_FID = 0x3F00


class Condition(Enum):
    """When an access is allowed (TS 102 221 §9.2)."""

    ALWAYS = "alw"
    PIN1 = "pin1"
    PIN2 = "pin2"
    ADM = "adm"
    NEVER = "nev"


class Structure(Enum):
    """Structure of an elementary file."""

    TRANSPARENT = "transparent"
    LINEAR = "linear"
    CYCLIC = "cyclic"


@dataclass(frozen=True, slots=True)
class Access:
    """The conditions of one elementary file."""

    read: Condition = Condition.ALWAYS
    update: Condition = Condition.ADM


@dataclass(frozen=True, slots=True, eq=False)
class Ef:
    """An elementary file as it left the factory; its present content lies in the card's memory."""

    fid: int
    name: str
    initial: bytes = field(repr=False)
    structure: Structure = Structure.TRANSPARENT
    record_size: int = 0
    sfi: int | None = None
    access: Access = Access()
    active: bool = True
    # Holds a key: for the card alone (ISO/IEC 7816-4 §7.2.1).
    internal: bool = False

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.initial)

    @property
    def record_count(self) -> int:
        """Number of records; 0 for a transparent file."""
        return len(self.initial) // self.record_size if self.record_size else 0


@dataclass(frozen=True, slots=True, eq=False)
class Df:
    """A directory: the MF, a DF, or an application (then it has an AID)."""

    fid: int
    name: str
    files: tuple[Ef, ...] = ()
    directories: tuple["Df", ...] = ()
    aid: bytes = b""
    label: str = ""
    # A USIM is reached by AID or as 7FFF only; a DF(PKCS#15) by AID and by its file id.
    by_fid: bool = True
    by_aid: bool = True


class FileSystem:
    """The tree with its lookups. Immutable: contents live elsewhere, under `key(ef)`."""

    def __init__(self, mf: Df) -> None:
        self.mf = mf
        self._parents: dict[Df, Df] = {}
        self._keys: dict[Ef, str] = {}
        self._names: dict[str, Ef] = {}
        self._directories: dict[Ef, Df] = {}
        self._enter(mf, f"{mf.fid:04X}")
        self.applications = tuple(df for df in self._walk(mf) if df.aid and df.by_aid)

    def parent(self, df: Df) -> Df:
        """The directory above; the MF is its own parent."""
        return self._parents.get(df, df)

    def directory_of(self, ef: Ef) -> Df:
        """The directory that holds `ef`."""
        return self._directories[ef]

    def key(self, ef: Ef) -> str:
        """A name of the file that is unique on the card: the path as hexadecimal digits."""
        return self._keys[ef]

    def keys(self) -> frozenset[str]:
        """The keys of all elementary files."""
        return frozenset(self._keys.values())

    def file(self, name_or_key: str) -> Ef:
        """The file of that name ("Bootstrap") or key ("3F00/2FE2"); KeyError if there is none."""
        return self._names[name_or_key.lower()]

    def child_file(self, df: Df, fid: int) -> Ef | None:
        """The elementary file `fid` right below `df`."""
        return next((ef for ef in df.files if ef.fid == fid), None)

    def child_directory(self, df: Df, fid: int) -> Df | None:
        """The directory `fid` right below `df`."""
        return next((below for below in df.directories if below.by_fid and below.fid == fid), None)

    def short(self, df: Df, sfi: int) -> Ef | None:
        """The elementary file with that short file identifier right below `df`."""
        return next((ef for ef in df.files if ef.sfi == sfi), None)

    def application_of(self, df: Df) -> Df | None:
        """The application that `df` belongs to."""
        while not df.aid and df is not self.mf:
            df = self.parent(df)
        return df if df.aid else None

    def _enter(self, df: Df, path: str) -> None:
        for ef in df.files:
            key = f"{path}/{ef.fid:04X}"
            self._keys[ef] = key
            self._directories[ef] = df
            self._names[key.lower()] = ef
            self._names.setdefault(ef.name.lower(), ef)
        for below in df.directories:
            self._parents[below] = df
            self._enter(below, f"{path}/{below.fid:04X}")

    def _walk(self, df: Df) -> Iterator[Df]:
        yield df
        for below in df.directories:
            yield from self._walk(below)
