"""Recurrent networks for networks.py: torch.nn's layers and cells as people use them."""

from typing import Tuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Classifier(nn.Module):
    """Words in, a class out; the last state of both directions counts."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 8, padding_idx=0)
        self.lstm = nn.LSTM(8, 16, 2, batch_first=True, bidirectional=True, dropout=0.2)
        self.head = nn.Linear(32, 3)

    def forward(self, ids: Tensor) -> Tensor:
        output, (hidden, cell) = self.lstm(self.embedding(ids))
        return self.head(torch.cat([hidden[-2], hidden[-1]], 1)) + output.mean() + cell.mean()


class Packed(nn.Module):
    """Sequences of their own lengths."""

    def __init__(self, kind, enforce_sorted: bool):
        super().__init__()
        self.layer = kind(6, 8, 2, batch_first=True, bidirectional=True)
        self.enforce_sorted = enforce_sorted

    def forward(self, x: Tensor, lengths: Tensor) -> Tuple[Tensor, Tensor]:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=self.enforce_sorted)
        output = self.layer(packed)[0]
        padded, long = pad_packed_sequence(output, batch_first=True, padding_value=-1.0)
        return padded, long


class Cells(nn.Module):
    """Step by step."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTMCell(6, 8)
        self.gru = nn.GRUCell(8, 7)
        self.rnn = nn.RNNCell(7, 5, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        h, c = torch.zeros(x.size(0), 8), torch.zeros(x.size(0), 8)
        g, r = torch.zeros(x.size(0), 7), torch.zeros(x.size(0), 5)
        outputs = []
        for step in range(x.size(1)):
            h, c = self.lstm(x[:, step], (h, c))
            g = self.gru(h, g)
            r = self.rnn(g, r)
            outputs.append(r)
        return torch.stack(outputs, 1)


class Translator(nn.Module):
    """An encoder whose state a decoder goes on from, with attention over its outputs."""

    def __init__(self):
        super().__init__()
        self.source, self.target = nn.Embedding(40, 12), nn.Embedding(30, 12)
        self.encoder, self.decoder = nn.GRU(12, 16, batch_first=True), nn.GRU(12, 16, batch_first=True)
        self.head = nn.Linear(32, 30)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        memory, state = self.encoder(self.source(source))
        output, _ = self.decoder(self.target(target), state)
        weights = torch.softmax(torch.bmm(output, memory.transpose(1, 2)), -1)
        return self.head(torch.cat([output, torch.bmm(weights, memory)], 2))


class Speech(nn.Module):
    """Convolutions before, a class for each frame after."""

    def __init__(self):
        super().__init__()
        self.front = nn.Sequential(nn.Conv1d(20, 16, 5, 2, 2), nn.BatchNorm1d(16), nn.Hardtanh(0.0, 20.0))
        self.layers = nn.ModuleList([nn.RNN(16, 16, nonlinearity="relu", bidirectional=True), nn.RNN(32, 16)])
        self.head = nn.Linear(16, 9)

    def forward(self, x: Tensor) -> Tensor:
        x = self.front(x).permute(2, 0, 1)
        for layer in self.layers:
            x = layer(x)[0]
        return torch.log_softmax(self.head(x), -1)


class WithState(nn.Module):
    """The caller keeps the state."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 8, 2)

    def forward(self, x: Tensor, state: Tuple[Tensor, Tensor]) -> Tuple[Tensor, Tuple[Tensor, Tensor]]:
        return self.lstm(x, state)


def recurrent_networks():
    """Name to what gives a module and its inputs."""
    def layer(make, *shape, dtype=torch.float32):
        return lambda: (make().to(dtype), (torch.randn(shape).to(dtype),))

    lengths = torch.tensor([3, 7, 5, 6])
    found = {
        "lstm": layer(lambda: nn.LSTM(6, 8), 7, 3, 6),
        "lstm-unbatched": layer(lambda: nn.LSTM(6, 8, 2, bidirectional=True), 7, 6),
        "lstm-projected": layer(lambda: nn.LSTM(6, 8, 2, batch_first=True, proj_size=4), 3, 7, 6),
        "lstm-float64": layer(lambda: nn.LSTM(6, 8, 2, batch_first=True), 3, 7, 6, dtype=torch.float64),
        "gru": layer(lambda: nn.GRU(6, 8, 3, bidirectional=True), 7, 3, 6),
        "gru-no-bias": layer(lambda: nn.GRU(6, 8, bias=False, batch_first=True), 3, 7, 6),
        "rnn-tanh": layer(lambda: nn.RNN(6, 8, 2, bidirectional=True), 7, 3, 6),
        "rnn-relu": layer(lambda: nn.RNN(6, 8, nonlinearity="relu"), 7, 3, 6),
        "cells": lambda: (Cells(), (torch.randn(3, 4, 6),)),
        "classifier": lambda: (Classifier(), (torch.randint(0, 50, (3, 9)),)),
        "translator": lambda: (Translator(), (torch.randint(0, 40, (2, 7)), torch.randint(0, 30, (2, 5)))),
        "speech": lambda: (Speech(), (torch.randn(2, 20, 31),)),
        "with-state": lambda: (WithState(), (torch.randn(5, 3, 6), (torch.randn(2, 3, 8), torch.randn(2, 3, 8)))),
    }
    for name, kind in [("lstm", nn.LSTM), ("gru", nn.GRU), ("rnn", nn.RNN)]:
        found[f"packed-{name}"] = lambda kind=kind: (Packed(kind, True), (torch.randn(4, 7, 6), lengths.sort(descending=True)[0]))
        found[f"packed-{name}-unsorted"] = lambda kind=kind: (Packed(kind, False), (torch.randn(4, 7, 6), lengths))
    return found
