"""A corpus of videos: all formats, sizes, oddities and damages that a reader meets; the pictures show their numbers."""

from repflow_mm.testing.video_corpus.corpus import CorpusVideo, corpus_names, make_corpus, make_random_videos
from repflow_mm.testing.video_corpus.formats import FORMATS, LONG_FORMAT, VideoFormat, write_format
from repflow_mm.testing.video_corpus.pictures import picture, picture_number

__all__ = [
    'FORMATS',
    'LONG_FORMAT',
    'CorpusVideo',
    'VideoFormat',
    'corpus_names',
    'make_corpus',
    'make_random_videos',
    'picture',
    'picture_number',
    'write_format',
]
