"""Random text encoders of BERT's and MPNet's kind, with their tokenizers, in folders as the model hub has them."""

import string
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import BertConfig, BertModel, MPNetConfig, MPNetModel, PreTrainedTokenizerFast

SPECIAL = {
    "bert": {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"},
    "mpnet": {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "[UNK]", "mask": "<mask>"},
}


def tiny_encoder(folder: Path, kind: str, words: list[str], seed: int = 1) -> Path:
    """Writes an encoder of `kind`, 32 wide with two layers, that knows `words` in lower case; returns `folder`."""
    torch.manual_seed(seed)
    characters = string.ascii_lowercase + string.digits + string.punctuation
    pieces = [*SPECIAL[kind].values(), *characters, *(f"##{c}" for c in characters), *words]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = {"vocab_size": len(vocabulary), "max_position_embeddings": 300, **sizes}
    kinds = {"bert": (BertModel, BertConfig), "mpnet": (MPNetModel, MPNetConfig)}
    model, configuration = kinds[kind]
    encoder = model(configuration(**config), add_pooling_layer=False)
    torch.nn.init.normal_(encoder.get_input_embeddings().weight)  # pieces as unlike as a trained table's
    encoder.save_pretrained(folder)
    wordpieces = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    wordpieces.normalizer = BertNormalizer(lowercase=True)
    wordpieces.pre_tokenizer = BertPreTokenizer()
    names = {f"{name}_token": token for name, token in SPECIAL[kind].items()}
    PreTrainedTokenizerFast(tokenizer_object=wordpieces, **names).save_pretrained(folder)
    return folder
