"""Caption vectors of a folder of shards: computed once by a frozen encoder, stored beside them.

Knows captions and files. Knows no network that reads the vectors.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from engine.bundle import STARTER, load_bundle
from trainer.data.captions import CaptionTable, caption_table, unique_captions
from trainer.data.shards import Clips
from trainer.text.clip_encoder import transformers_clip
from trainer.text.encoder import TextEncoder, encode_texts
from trainer.text.minilm import minilm_text


def load_captions(clips: Clips, folder: Path, encoder: str) -> CaptionTable:
    """Vectors of all captions as they read under every augmentation; stored in FOLDER."""
    texts = unique_captions(clips.captions)
    name = re.sub(r"[^A-Za-z0-9]+", "-", encoder_mark(encoder)).strip("-")
    stored = folder / f"captions-{name}.npz"
    if stored.exists():
        with np.load(stored) as arrays:
            if list(arrays["texts"]) == texts:
                return caption_table(clips, texts, arrays["vectors"])
    vectors = encode_texts(texts, open_text_encoder(encoder)).astype(np.float32)
    partial = folder / f".{stored.stem}.{os.getpid()}.npz"
    np.savez(partial, texts=np.array(texts), vectors=vectors)
    partial.replace(stored)
    return caption_table(clips, texts, vectors)


def open_text_encoder(name: str) -> TextEncoder:
    """What `text_encoder` names in a configuration of training.

    name  "minilm", the starter's; or a folder, or a name on the Hugging Face hub, of a CLIP text
          model: "openai/clip-vit-large-patch14-336" as published
    Raises ConfigError for a model that cannot be read or is no CLIP of OpenAI's kind.
    """
    return minilm_text() if name == "minilm" else transformers_clip(name)


def encoder_mark(name: str) -> str:
    """What stored vectors of an encoder are filed under: another shipped graph, another mark."""
    if name != "minilm":
        return name
    return f"{name}-{load_bundle(STARTER).manifest.files['text/encoder.onnx'].sha256[:12]}"
