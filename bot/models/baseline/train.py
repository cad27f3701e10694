"""A byte-level language model on the source of Python's own standard library, trained for seconds on two CPU cores.

The metric is val_bpb, bits per byte on held-out files (lower is better). About 5 % of the files are held out by a
hash of their path; no byte of them is trained on. The clock starts before the data are read, so reading them costs
budget. The evaluation, and the byte n-grams that the model has to beat on the same bytes, come when it is used up.
"""

import math
import os
import sysconfig
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from runner import harness

# data
CONTEXT = 128  # bytes in a training sequence, a divisor of 1024
BATCH = 8  # sequences in a step
# model
MIXER = "conv"  # how a position sees the ones before it: "conv", "attention" or "gru"
KERNEL = 4  # positions that a convolution sees, its own included
HEADS = 4  # of attention
DEPTH = 2  # blocks, each a mixer and an MLP
WIDTH = 64  # numbers that stand for a position between blocks
EXPANSION = 4  # hidden width of the MLP, in widths
ACTIVATION = "gelu"  # of the MLP: "gelu", "relu", "relu2" or "silu"
NGRAMS = ()  # hashed n-gram embeddings added to the input, by the n-grams' lengths: (2, 3) looks up two rows per byte
TABLE = 16384  # rows in the table of each n-gram length
TIED = False  # one matrix for the bytes that go in and the bytes that come out
# training
LEARNING_RATE = 5e-3  # at the top of the schedule
WARMUP = 0.05  # fraction of the training in which the learning rate rises
DECAY = "cosine"  # how it falls from there to 0 at the end: "cosine", "linear" or "none"
WEIGHT_DECAY = 0.1  # on the blocks' matrices; nothing else is decayed
BETA2 = 0.99  # memory of AdamW's second moment
CLIP = 1.0  # largest norm of the gradient
SEED = 1337
THREADS = 2  # parts of a batch that are computed side by side

run = harness.start(seed=SEED, seconds=20)
torch.set_num_threads(1)  # threads that meet once in a step, not in every operation: a busy core then stalls nothing
cores = ThreadPoolExecutor(THREADS)

# ---- data: the library without its tests, which not every installation has ----


def read_library() -> tuple[Tensor, Tensor]:
    """All training bytes and all held-out bytes. The hash of a file's path decides: neither order nor chance."""
    root = Path(sysconfig.get_path("stdlib"))
    train, held_out = [], []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - {"site-packages", "dist-packages", "test", "tests", "idle_test"})
        for path in sorted(Path(folder, name) for name in names if name.endswith(".py")):
            hashed = zlib.crc32(path.relative_to(root).as_posix().encode())
            (held_out if hashed % 20 == 0 else train).append(path.read_bytes())
    print(f"{len(train)} files to train on, {len(held_out)} held out", flush=True)
    return as_numbers(train), as_numbers(held_out)


def as_numbers(files: list[bytes]) -> Tensor:
    return torch.frombuffer(bytearray(b"\n".join(files)), dtype=torch.uint8).long()


train_bytes, held_out_bytes = read_library()

# ---- model: embeddings of the byte (and the n-grams it ends), blocks, logits of the next byte ----
# bytes are (batch, time), everything inside the model is (batch, time, width)


def shift(x: Tensor, by: int) -> Tensor:
    """Every position gets what was `by` positions before it; the first ones get zeros."""
    return torch.cat([torch.zeros_like(x[:, :by]), x[:, :-by]], dim=1) if by else x


def table_rows(x: Tensor, length: int) -> Tensor:
    """The table row of the n-gram that ends at each byte, by multiplicative hashing. N-grams that collide share it."""
    ngram = sum(shift(x, i) << 8 * i for i in range(length))
    return (ngram * 0x1E3779B97F4A7C15 >> 32) % TABLE  # int64 wraps around; its high half is well mixed


class Conv(nn.Module):
    """Causal convolution: one linear map of the last KERNEL positions."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(KERNEL * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.cat([shift(x, i) for i in range(KERNEL)], dim=-1))


class Attention(nn.Module):
    """Causal self-attention with learned positions."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(CONTEXT, WIDTH))
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        heads = self.qkv(x + self.positions).unflatten(-1, (3 * HEADS, WIDTH // HEADS)).transpose(1, 2)
        q, k, v = heads.chunk(3, dim=1)  # each (batch, heads, time, width / heads)
        return self.out(functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))


class Recurrence(nn.Module):
    """A GRU: memory without a limit, one position after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.gru(x)[0])


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mixer = {"conv": Conv, "attention": Attention, "gru": Recurrence}[MIXER]()
        self.before_mixer, self.before_mlp = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, EXPANSION * WIDTH)
        self.down = nn.Linear(EXPANSION * WIDTH, WIDTH)
        for last in (self.mixer.out, self.down):
            nn.init.zeros_(last.weight)  # a block starts as the identity

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.mixer(self.before_mixer(x))
        hidden = self.up(self.before_mlp(x))
        hidden = functional.relu(hidden).square() if ACTIVATION == "relu2" else getattr(functional, ACTIVATION)(hidden)
        return x + self.down(hidden)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bytes = nn.Embedding(256, WIDTH)
        self.ngrams = nn.ModuleList(nn.Embedding(TABLE, WIDTH) for _ in NGRAMS)
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, 256)
        for table in (self.bytes, *self.ngrams):
            nn.init.normal_(table.weight, std=0.02)
        if TIED:
            self.head.weight = self.bytes.weight

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, time, 256) of the byte that follows each byte of x."""
        hidden = self.bytes(x)
        for length, table in zip(NGRAMS, self.ngrams, strict=True):
            hidden = hidden + table(table_rows(x, length))
        for block in self.blocks:
            hidden = block(hidden)
        return self.head(self.norm(hidden))


model = Model().to(run.device)
decayed = [p for p in model.blocks.parameters() if p.ndim == 2]
others = [p for name, p in model.named_parameters() if p.ndim != 2 or not name.startswith("blocks.")]
groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, BETA2), fused=True)

# ---- training: random windows until the time is used up ----

prepared = min(run.progress, 0.99)  # fraction of the budget that has gone into getting here


def learning_rate() -> float:
    """Warm-up, then decay, by time and not by steps: a slow machine walks the whole schedule, too."""
    done = (run.progress - prepared) / (1 - prepared)
    left = min(1.0, (1 - done) / (1 - WARMUP))  # 1 up to the end of the warm-up, 0 at the end of the training
    decay = {"cosine": 0.5 - 0.5 * math.cos(math.pi * left), "linear": left, "none": 1.0}[DECAY]
    return LEARNING_RATE * decay * min(1.0, (done + 0.001) / (WARMUP + 0.001))


def bits_per_byte(logits: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten()) / math.log(2)


def backward(part: Tensor) -> float:
    """Add one part of the batch to the gradient; the part's share of the loss."""
    loss = bits_per_byte(model(part[:, :-1]), part[:, 1:]) * (len(part) / BATCH)
    loss.backward()
    return loss.item()


losses: list[float] = []
started = run.elapsed
while not losses or not run.out_of_time():
    starts = torch.randint(len(train_bytes) - CONTEXT, (BATCH, 1))
    window = train_bytes[starts + torch.arange(CONTEXT + 1)].to(run.device)
    optimizer.zero_grad()
    losses.append(sum(cores.map(backward, window.chunk(THREADS))))
    nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    rate = learning_rate()
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    if len(losses) % 10 == 1:
        run.log(len(losses), loss=losses[-1], lr=rate)
steps, seconds = len(losses), run.elapsed - started

# ---- evaluation: 256 fixed pieces of 1024 held-out bytes, the same ones for every model and for the n-grams ----

chosen = torch.randint(len(held_out_bytes) - 1024, (256, 1), generator=torch.Generator().manual_seed(0))
pieces = held_out_bytes[chosen + torch.arange(1025)]


@torch.inference_mode()
def held_out_bpb(part: Tensor) -> float:
    """Bits per byte of the model. Every byte is predicted once, from at most CONTEXT bytes before it."""
    inputs, targets = part[:, :-1].reshape(-1, CONTEXT), part[:, 1:].reshape(-1, CONTEXT)
    return bits_per_byte(model(inputs), targets).item()


def ngram_bpb(length: int) -> float:
    """Bits per byte of n-grams counted on all training bytes, with add-one smoothing."""

    def numbered(text: Tensor) -> Tensor:  # every n-gram as one number, its last byte lowest
        count = text.size(-1) - length + 1
        return sum(text[..., i : i + count] << 8 * (length - 1 - i) for i in range(length))

    counts = torch.bincount(numbered(train_bytes), minlength=256**length)
    contexts = counts.view(-1, 256).sum(dim=1)
    seen = numbered(pieces)
    return -((counts[seen] + 1) / (contexts[seen >> 8] + 256)).log2().mean().item()


tail = losses[-(steps // 10 or 1) :]
run.finish(
    val_bpb=sum(cores.map(held_out_bpb, pieces.to(run.device).split(8))) / 32,  # 32 parts of 8 pieces
    train_bpb=sum(tail) / len(tail),  # over the last tenth of the steps
    bigram_bpb=ngram_bpb(2),
    trigram_bpb=ngram_bpb(3),
    steps=steps,
    steps_per_second=steps / seconds,
    tokens=steps * BATCH * CONTEXT,
    parameters=sum(p.numel() for p in model.parameters()),
)
