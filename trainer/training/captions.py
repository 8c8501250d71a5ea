"""Caption vectors of a folder of shards: computed once by a frozen encoder, stored beside them.

Knows text and files. Knows no network that reads the vectors.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from trainer.data import windows
from trainer.data.shards import Clips


def load_captions(clips: Clips, folder: Path, encoder: str) -> windows.CaptionTable:
    """Vectors of all captions as they read under every augmentation; stored in FOLDER."""
    from trainer.text.encoder import encode_texts, encoder_mark, open_text_encoder

    texts = windows.unique_captions(clips.captions)
    name = re.sub(r"[^A-Za-z0-9]+", "-", encoder_mark(encoder)).strip("-")
    stored = folder / f"captions-{name}.npz"
    if stored.exists():
        with np.load(stored) as arrays:
            if list(arrays["texts"]) == texts:
                return windows.caption_table(clips, texts, arrays["vectors"])
    vectors = encode_texts(texts, open_text_encoder(encoder)).astype(np.float32)
    partial = folder / f".{stored.stem}.{os.getpid()}.npz"
    np.savez(partial, texts=np.array(texts), vectors=vectors)
    partial.replace(stored)
    return windows.caption_table(clips, texts, vectors)
