"""A byte-level language model on the source of Python's own standard library, trained for seconds on two CPU cores.

Metric: val_bpb, bits per byte on held-out files (lower is better). About 5 % of the files are held out by a hash of
their path, and no byte of them is trained on. The clock starts before the data are read, so reading them costs
budget; the evaluation and the byte n-grams that the model has to beat come after the budget is used.
"""

import math
import os
import sysconfig
import zlib
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from runner import harness

# data
CONTEXT = 128  # bytes per training sequence; has to divide 1024
BATCH = 16  # sequences per step
# model
MIXER = "conv"  # how a position sees the ones before it: "conv", "attention" or "gru"
KERNEL = 4  # positions that a convolution sees, its own included
DEPTH = 2  # blocks of mixer and MLP
WIDTH = 64  # size of the residual stream
EXPANSION = 4  # hidden size of the MLP, in widths
HEADS = 4  # attention heads
ACTIVATION = "gelu"  # of the MLP: "gelu", "relu", "relu2" or "silu"
NGRAMS = ()  # orders of hashed n-gram embeddings added to the input, such as (2, 3)
TABLE = 16384  # rows of each n-gram table
TIED = False  # one matrix for the byte embedding and the output
# training
LEARNING_RATE = 3e-3  # at the top of the schedule
WARMUP = 0.05  # fraction of the budget in which the learning rate rises
DECAY = "cosine"  # how it falls after that, to 0 at the end of the budget: "cosine", "linear" or "none"
WEIGHT_DECAY = 0.1  # on matrices; embeddings and biases have none
BETA2 = 0.99  # memory of AdamW's second moment
CLIP = 1.0  # largest norm of the gradient
SEED = 1337
THREADS = 2  # CPU threads

run = harness.start(seed=SEED, seconds=20)
torch.set_num_threads(THREADS)
ACTIVATIONS = {"gelu": F.gelu, "relu": F.relu, "relu2": lambda x: F.relu(x).square(), "silu": F.silu}
BITS = 1 / math.log(2)  # bits in a nat

# ---- data: every .py file of the standard library but its tests, which not every installation has ----


def as_tensor(files: list[bytes]) -> Tensor:
    return torch.frombuffer(bytearray(b"\n".join(files)), dtype=torch.uint8).long()


def read_library() -> tuple[Tensor, Tensor]:
    """All training bytes and all held-out bytes. A file is held out by the hash of its path: no order, no chance."""
    root = Path(sysconfig.get_path("stdlib"))
    train, held_out = [], []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - {"site-packages", "dist-packages", "test", "tests", "idle_test"})
        for path in sorted(Path(folder, name) for name in names if name.endswith(".py")):
            hashed = zlib.crc32(path.relative_to(root).as_posix().encode())
            (held_out if hashed % 20 == 0 else train).append(path.read_bytes())
    print(f"{len(train)} files to train on, {len(held_out)} held out", flush=True)
    return as_tensor(train), as_tensor(held_out)


train_bytes, held_out_bytes = read_library()

# ---- model: byte (and n-gram) embeddings, blocks of mixer and MLP, logits. x is (batch, time, width) ----


def shift(x: Tensor, by: int) -> Tensor:
    """Every position gets what was `by` positions before it; the first ones get zeros."""
    return torch.cat([torch.zeros_like(x[:, :by]), x[:, :-by]], dim=1) if by else x


def ngram_rows(x: Tensor, order: int) -> Tensor:
    """The row of the n-gram table for the last `order` bytes, by multiplicative hashing: collisions are let be."""
    key = sum(shift(x, i) << (8 * i) for i in range(order))
    return (key * 0x1E3779B97F4A7C15 >> 32) % TABLE  # int64 wraps; the high bits are the well mixed ones


class Conv(nn.Module):
    """Causal convolution: a linear map of the last KERNEL positions."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(KERNEL * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.cat([shift(x, i) for i in range(KERNEL)], dim=-1))


class Attention(nn.Module):
    """Causal self-attention over the sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(CONTEXT, WIDTH))
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        heads = (
            self.qkv(x + self.positions).unflatten(-1, (3 * HEADS, -1)).transpose(1, 2)
        )  # (batch, 3 heads, time, -1)
        q, k, v = heads.chunk(3, dim=1)
        return self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))


class Recurrence(nn.Module):
    """A GRU: one step after the other, memory without a limit."""

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
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.up = nn.Linear(WIDTH, EXPANSION * WIDTH)
        self.down = nn.Linear(EXPANSION * WIDTH, WIDTH)
        for last in (self.mixer.out, self.down):  # every block starts as the identity
            nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.mixer(self.norms[0](x))
        return x + self.down(ACTIVATIONS[ACTIVATION](self.up(self.norms[1](x))))


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
        """Logits (batch, time, 256) of the byte after each byte of x (batch, time)."""
        hidden = self.bytes(x)
        for order, table in zip(NGRAMS, self.ngrams, strict=True):
            hidden = hidden + table(ngram_rows(x, order))
        for block in self.blocks:
            hidden = block(hidden)
        return self.head(self.norm(hidden))


model = Model().to(run.device)
matrices = [p for name, p in model.blocks.named_parameters() if p.ndim == 2]
others = [p for p in model.parameters() if all(p is not matrix for matrix in matrices)]
groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, BETA2), fused=True)

# ---- training: random windows until the time is used up ----


def learning_rate() -> float:
    """Warm-up, then decay, by the fraction of the time used: every machine walks the whole schedule."""
    progress = (run.progress - ready) / (1 - ready)
    left = (1 - progress) / (1 - WARMUP)  # 1 at the end of the warm-up, 0 at the end of the budget
    decay = {"cosine": 0.5 - 0.5 * math.cos(math.pi * min(1, left)), "linear": min(1, left), "none": 1.0}[DECAY]
    return LEARNING_RATE * decay * min(1, (progress + 1e-3) / (WARMUP + 1e-3))


def bits_per_byte(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten()) * BITS


steps, losses, ready = 0, [], min(run.progress, 0.99)  # what reading the data and building the model took
started = run.elapsed
while not run.out_of_time():
    starts = torch.randint(len(train_bytes) - CONTEXT, (BATCH, 1))
    window = train_bytes[starts + torch.arange(CONTEXT + 1)].to(run.device)
    loss = bits_per_byte(model(window[:, :-1]), window[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate()
    optimizer.step()
    steps += 1
    losses.append(loss.item())
    if steps % 10 == 1:
        run.log(steps, loss=losses[-1], lr=learning_rate())
trained_seconds = run.elapsed - started

# ---- evaluation: 256 fixed pieces of 1024 held-out bytes, the same for every model; byte n-grams on them too ----


@torch.inference_mode()
def evaluate() -> float:
    """Bits per byte of the model. Every byte is predicted once, from at most CONTEXT bytes before it."""
    model.eval()
    inputs, targets = pieces[:, :-1].reshape(-1, CONTEXT), pieces[:, 1:].reshape(-1, CONTEXT)
    parts = zip(inputs.split(8192 // CONTEXT), targets.split(8192 // CONTEXT), strict=True)
    total = sum(bits_per_byte(model(x.to(run.device)), y.to(run.device)).item() * y.numel() for x, y in parts)
    return total / targets.numel()


def ngram_bpb(order: int) -> float:
    """Bits per byte of byte n-grams with add-one smoothing, counted on all training bytes."""

    def keys(text: Tensor) -> Tensor:  # `order` bytes in one number, the last one lowest
        last = text.size(-1) - order + 1
        return sum(text[..., i : last + i] << 8 * (order - 1 - i) for i in range(order))

    counts = torch.bincount(keys(train_bytes), minlength=256**order)
    contexts = counts.view(-1, 256).sum(1)
    seen = keys(pieces)
    return -((counts[seen] + 1) / (contexts[seen >> 8] + 256)).log2().mean().item()


chosen = torch.Generator().manual_seed(0)
pieces = held_out_bytes[torch.randint(len(held_out_bytes) - 1024, (256, 1), generator=chosen) + torch.arange(1025)]
tail = losses[-max(1, steps // 10) :]
run.finish(
    val_bpb=evaluate(),
    train_bpb=sum(tail) / len(tail),  # over the last tenth of the steps
    bigram_bpb=ngram_bpb(2),
    trigram_bpb=ngram_bpb(3),
    steps=steps,
    steps_per_second=steps / trained_seconds,
    tokens=steps * BATCH * CONTEXT,
    parameters=sum(p.numel() for p in model.parameters()),
)
