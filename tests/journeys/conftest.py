"""What journeys share: a small corpus of their own, and flyball as a user has it: a process, commands, an application.

The corpus is the handbook of a harbour: twelve documents in four formats, thirty questions, one flyball.yaml with two
variants. Nothing here looks inside flyball, except the fixtures that say so.
"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from openai import OpenAI

FUNCTION, EVALUATION, DOCUMENTS, QUESTIONS, INDEX = "ask-harbour", "harbour-quality", "harbour", "questions", "harbour"
_CHANCE = random.SystemRandom()
PATIENCE = 90.0  # seconds for whatever is waited for; these machines are shared

# One paragraph each: sentences that answer, between sentences that do not.
DOCUMENTS_OF_THE_HARBOUR = {
    "pilots.txt": (
        "The pilot station stands on the northern mole and is manned day and night. "
        "A pilot is compulsory for every vessel longer than sixty metres. "
        "Pilots are ordered by radio on channel twelve, two hours before arrival. "
        "In fog the pilot boards from the launch Cormorant, which is painted yellow."
    ),
    "tides.txt": (
        "The tide gauge was installed by the survey office and is read every morning. "
        "Spring tides rise four metres above the datum of the chart. "
        "The sill of the inner basin dries at two metres, so deep vessels wait for half tide. "
        "Tables are printed in November and sold at the chandlery."
    ),
    "lights.txt": (
        "The lighthouse of Gull Point flashes white three times every twenty seconds. "
        "Its lamp is an electric bulb of one thousand watts. "
        "A red sector covers the Kettle Reef and must never be entered. "
        "The keeper's cottage is now a museum of lenses."
    ),
    "mooring.md": (
        "# Mooring\n\nVisitors moor at the granite quay, stern to the wall. "
        "Lines must be doubled when the barometer falls below 990 millibars. "
        "The bollards near the crane are reserved for the lifeboat. "
        "Mooring fees are collected by the warden at eight in the evening."
    ),
    "fuel.md": (
        "# Fuel\n\nDiesel is sold at the pontoon behind the ice house. "
        "The pump closes at noon on Sundays. "
        "Petrol must be carried in metal cans and never poured afloat. "
        "Spills are reported to the oil officer at once."
    ),
    "customs.md": (
        "# Customs\n\nVessels from abroad hoist a yellow flag and stay aboard. "
        "The customs officer inspects the stores within three hours. "
        "Tobacco above two hundred cigarettes has to be declared. "
        "Dogs remain on board until the veterinary surgeon has seen them."
    ),
    "rescue.md": (
        "# Rescue\n\nThe lifeboat Perseverance launches in under nine minutes. "
        "Its crew is called by two green rockets. "
        "The coxswain decides alone whether the sea allows a launch. "
        "Survivors are taken to the seamen's hospice on Chapel Lane."
    ),
    "dredging.html": (
        "<html><head><title>Dredging</title></head><body><p>The fairway is dredged to seven metres each spring. "
        "The bucket dredger Hephaestus works from dusk until dawn. "
        "Mud is dumped eleven miles offshore in the Devil's Hole. "
        "A wreck of the old ferry limits work near the breakwater.</p></body></html>"
    ),
    "fishing.html": (
        "<html><head><title>Fishing</title></head><body><p>Herring is landed at the covered market before sunrise. "
        "The auctioneer rings a ship's bell to open the sale. "
        "Lobster pots may not be set inside the anchorage. "
        "Nets are tarred in the long shed behind the smokehouse.</p></body></html>"
    ),
    "weather.html": (
        "<html><head><title>Weather</title></head><body><p>Gale warnings are shown by a black cone on the signal mast. "
        "The wind gauge hangs above the harbour office. "
        "Thunderstorms usually come up from the estuary in August. "
        "Forecasts are read out on the radio at six and at eighteen hours.</p></body></html>"
    ),
    "cranes.pdf": (
        "The steam crane lifts twenty tons and was built in 1911. "
        "Its boiler is inspected by the insurance company every March. "
        "Nobody may stand beneath a suspended load. "
        "The crane driver obeys the signals of one banksman only."
    ),
    "ferry.pdf": (
        "The ferry to Saint Brannoc crosses in forty minutes. "
        "Bicycles travel free of charge in winter. "
        "The last crossing leaves when the church clock strikes ten. "
        "Cattle are carried on Tuesdays, on the lower deck."
    ),
}

# (question, the document that answers it, the sentence of it that answers)
THIRTY_QUESTIONS = (
    ("Which vessels need a pilot?", "pilots", 1),
    ("On which radio channel are pilots ordered?", "pilots", 2),
    ("What colour is the launch Cormorant?", "pilots", 3),
    ("How high do spring tides rise?", "tides", 1),
    ("When does the sill of the inner basin dry?", "tides", 2),
    ("Where are the tables sold?", "tides", 3),
    ("How strong is the lamp of the lighthouse?", "lights", 1),
    ("What does the red sector cover?", "lights", 2),
    ("What is the keeper's cottage now?", "lights", 3),
    ("When must lines be doubled?", "Mooring", 1),
    ("Who may use the bollards near the crane?", "Mooring", 2),
    ("Who collects the mooring fees?", "Mooring", 3),
    ("When does the fuel pump close on Sundays?", "Fuel", 1),
    ("How must petrol be carried?", "Fuel", 2),
    ("To whom are spills reported?", "Fuel", 3),
    ("How soon does the customs officer inspect the stores?", "Customs", 1),
    ("How much tobacco has to be declared?", "Customs", 2),
    ("How long do dogs remain on board?", "Customs", 3),
    ("How is the lifeboat crew called?", "Rescue", 1),
    ("Who decides whether the sea allows a launch?", "Rescue", 2),
    ("Where are survivors taken?", "Rescue", 3),
    ("When does the bucket dredger work?", "Dredging", 1),
    ("Where is the mud dumped?", "Dredging", 2),
    ("How is the sale opened by the auctioneer?", "Fishing", 1),
    ("Where may lobster pots not be set?", "Fishing", 2),
    ("Where does the wind gauge hang?", "Weather", 1),
    ("Who inspects the boiler of the crane?", "cranes", 1),
    ("May I stand beneath a suspended load?", "cranes", 2),
    ("When do bicycles travel free of charge?", "ferry", 1),
    ("When does the last crossing leave?", "ferry", 2),
)

RULES = '''"""Two ways to answer: the opening of the best passage, or the sentence of it that shares most words."""

import re

from flyball.functions.records import Answer


def opening(input, tools):
    best = tools.retrieve(input["question"])[0]
    end = min(len(best.text), 80)
    return Answer(text=best.text[:end], citations=(tools.cite(best, 0, end),))


def sentence(input, tools):
    best = tools.retrieve(input["question"])[0]
    asked = set(re.findall("[a-z]{4,}", input["question"].lower()))
    places = [match.span() for match in re.finditer(r"[A-Z][^.]*[.]", best.text)] or [(0, len(best.text))]
    start, end = max(places, key=lambda place: len(asked & set(re.findall("[a-z]{4,}", best.text[slice(*place)].lower()))))
    return Answer(text=best.text[start:end], citations=(tools.cite(best, start, end),))
'''

CONFIGURATION = f"""project: default
functions:
  {FUNCTION}:
    input: {{type: object, properties: {{question: {{type: string}}}}, required: [question]}}
    variants:
      opening: {{kind: rules, code: "harbour_rules:opening", retrieval: {{index: {INDEX}, k: 5}}}}
      sentence: {{kind: rules, code: "harbour_rules:sentence", retrieval: {{index: {INDEX}, k: 5}}}}
datasets:
  {QUESTIONS}: {{import: questions.jsonl, licence: CC0-1.0}}
indexes:
  {INDEX}: {{dataset: {DOCUMENTS}}}
evaluations:
  {EVALUATION}:
    function: {FUNCTION}
    dataset: {QUESTIONS}
    scorers: [hit_at_1, mrr, token_f1]
    primary: token_f1
    baseline: opening
    margin: 0.02
"""


class Corpus(NamedTuple):
    """The folder of documents, the folder with flyball.yaml, and what is asked: (question, title, the sentence that answers)."""

    documents: Path
    example: Path
    asked: list[tuple[str, str, str]]


def write_corpus(folder: Path) -> Corpus:
    """Write it all; two of the files cannot be imported, and have to be named with the reason."""
    documents, example = folder / "handbook", folder / "example"
    documents.mkdir()
    example.mkdir()
    for name, text in DOCUMENTS_OF_THE_HARBOUR.items():
        (documents / name).write_bytes(pdf_of(text) if name.endswith(".pdf") else text.encode())
    (documents / "empty.txt").touch()
    (documents / "photograph.txt").write_bytes(bytes(range(256)) * 40)
    asked = [(question, title, sentences_of(title)[number]) for question, title, number in THIRTY_QUESTIONS]
    rows = [
        {"id": f"q{number:02}", "question": question, "expected": [title], "answer": answer}
        for number, (question, title, answer) in enumerate(asked, 1)
    ]
    (example / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (example / "harbour_rules.py").write_text(RULES)
    (example / "flyball.yaml").write_text(CONFIGURATION)
    return Corpus(documents, example, asked)


def sentences_of(title: str) -> list[str]:
    """The sentences of the document with this title."""
    (text,) = [text for name, text in DOCUMENTS_OF_THE_HARBOUR.items() if Path(name).stem == title.lower()]
    prose = text.split("<p>")[-1].split("</p>")[0].split("\n\n")[-1]
    return [f"{sentence}." for sentence in prose.rstrip(".").split(". ")]


def pdf_of(text: str) -> bytes:
    """A one-page PDF file that says this, written by hand: a sentence per line."""
    lines = "".join(f"({line}) Tj T* " for line in text.replace(". ", ".\n").split("\n"))
    content = f"BT /F1 11 Tf 14 TL 40 780 Td {lines}ET".encode()
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
            b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>"
        ),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    )
    written, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, len(written))
    return written + b"xref\n0 %d\n0000000000 65535 f \n%s%s" % (count, table, trailer)


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        """What it printed with --json."""
        return json.loads(self.out)


class Answered(NamedTuple):
    """An answer of the function, as the application got it to its end."""

    text: str
    citations: list[dict[str, Any]]
    trace_id: str


class Flyball:
    """flyball on one data directory and one port, started and stopped as often as wanted; its user types commands."""

    def __init__(self, data: Path, environment: dict[str, str] | None = None) -> None:
        self.data = data
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.greeting: dict[str, Any] = {}
        self.process: subprocess.Popen[str] | None = None
        self._environment = {**os.environ, **(environment or {})}
        self._said = data.with_name(f"{data.name}.said")  # what `flyball up` wrote on standard error, all starts

    def launch(self, *options: str) -> None:
        """Begin `flyball up`, without waiting for it."""
        command = self._command("up", "--port", str(self.port), *options)
        with self._said.open("a") as said:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=said, text=True, env=self._environment
            )

    def until_ready(self) -> bool:
        """Whether it became ready; False: it ended, or was ended, before."""
        assert self.process is not None
        assert self.process.stdout is not None
        text = ""
        for line in self.process.stdout:
            text += line
            if line == "}\n":
                self.greeting = json.loads(text)
                return True
        self.process.wait()
        self.process.stdout.close()
        return False

    def start(self, *options: str) -> None:
        """`flyball up`, until it is ready."""
        self.launch(*options)
        assert self.until_ready(), self.said()

    def stop(self) -> str:
        """SIGTERM; what it said on standard error since the first start. Nothing of it may be left."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.ended()
        assert self.process.returncode == 0, self.said()
        return self.said()

    def ended(self) -> None:
        """Wait for the end of the process and of every process that belongs to this data directory."""
        assert self.process is not None
        self.process.wait(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.until(lambda: not self.processes(), "a process is left behind", show=self.processes)

    def said(self) -> str:
        """What it said on standard error."""
        return self._said.read_text() if self._said.exists() else ""

    def run(self, *words: str, timeout: float = PATIENCE) -> Done:
        """A command with --json, however it ends."""
        ended = subprocess.run(
            self._command(*words), capture_output=True, text=True, check=False, timeout=timeout, env=self._environment
        )
        return Done(ended.returncode, ended.stdout, ended.stderr)

    def ask(self, *words: str, allowed: tuple[int, ...] = (0,)) -> Any:
        """What a command answers; it has to end as allowed."""
        done = self.run(*words)
        assert done.code in allowed, self.how_it_ended(words, done)
        return done.told

    def how_it_ended(self, words: tuple[str, ...], done: Done) -> str:
        """The end of a command for whoever reads why a test failed, with the log where the command alone does not know."""
        told = f"flyball {' '.join(words)}: {done.code}\n{done.out}{done.err}"
        logs = self.data / "logs"
        if "internal_error" in told:
            told += (logs / "control.log").read_text()[-6000:]
        if "run_failed" in told:
            told += (logs / "worker.log").read_text()[-6000:]
        return told

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Rows of `flyball sql`."""
        rows: list[dict[str, Any]] = self.ask("sql", query, "--limit", "10000")
        return rows

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to the data directory, whoever its parent is by now."""
        return [one for one in psutil.process_iter() if one.pid != os.getpid() and self._owns(one)]

    def called(self, word: str) -> list[psutil.Process]:
        """Those with this name, or this word in their command; one that ends while it is looked at is not of them."""
        found = []
        for one in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                found += [one] if word in (one.name(), *one.cmdline()) else []
        return found

    @staticmethod
    def until(true: Callable[[], Any], otherwise: str, *, show: Callable[[], Any] = str) -> Any:
        """Wait until something is true, and return it."""
        deadline = time.monotonic() + PATIENCE
        while not (found := true()):
            assert time.monotonic() < deadline, f"{otherwise} after {PATIENCE:g} s: {show()}"
            time.sleep(0.1)
        return found

    def _owns(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return str(self.data) in (process.environ().get("FLYBALL_DATA"), *process.cmdline()) or Path(
                process.cwd()
            ).is_relative_to(self.data)
        except (psutil.Error, OSError):
            return False

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "flyball.cli", *words, "--json", "--data", str(self.data)]


class Application:
    """An application that calls the function through the unmodified `openai` client; nothing is repeated behind its back."""

    def __init__(self, address: str, key: str) -> None:
        self._client = OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0, timeout=30)

    def ask(self, question: str, *, streamed: bool = False) -> Answered:
        """One call; an exception of the client where the answer did not come to its end."""
        messages: Any = [{"role": "user", "content": question}]
        if not streamed:
            answer = self._client.chat.completions.create(model=FUNCTION, messages=messages)
            told = (answer.model_extra or {})["flyball"]
            return Answered(answer.choices[0].message.content or "", told["citations"], told["trace_id"])
        pieces, told = [], {}
        for chunk in self._client.chat.completions.create(model=FUNCTION, messages=messages, stream=True):
            told = (chunk.model_extra or {}).get("flyball") or told
            pieces.extend(choice.delta.content for choice in chunk.choices if choice.delta.content)
        return Answered("".join(pieces), told["citations"], told["trace_id"])

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


def free_port() -> int:
    """A free port below those that the system gives to callers, so that it is still free at the next start."""
    while True:
        port = _CHANCE.randint(20_000, 30_000)  # a test that seeds `random` must not give two of them the same one
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """The handbook, the questions and flyball.yaml."""
    return write_corpus(tmp_path)


@pytest.fixture
def begin(data_dir: Path) -> Iterator[Callable[..., Flyball]]:
    """Makes a flyball on this test's data directory, not yet started; whatever is left of it is ended with the test."""
    made: list[Flyball] = []

    def make(environment: dict[str, str] | None = None) -> Flyball:
        made.append(Flyball(data_dir, environment))
        return made[-1]

    yield make
    for flyball in made:
        for process in flyball.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        if flyball.process is not None:
            flyball.process.wait(PATIENCE)
            if flyball.process.stdout is not None:
                flyball.process.stdout.close()
    data_dir.with_name(f"{data_dir.name}.said").unlink(missing_ok=True)


@pytest.fixture
def application() -> Iterator[Callable[[str, str], Application]]:
    """Makes an application with an address and a key."""
    made: list[Application] = []

    def make(address: str, key: str) -> Application:
        made.append(Application(address, key))
        return made[-1]

    yield make
    for one in made:
        one.close()
