"""Names that the command line offers for video files; apart from the codecs, so that a start needs no PyAV."""

SOFTWARE = "software"
CODEC_NAMES = ("h264", "hevc", "vp9", "av1", "ffv1", "gif")
ENCODER_NAMES = (SOFTWARE, "nvenc", "qsv", "amf", "videotoolbox", "v4l2m2m")
WRITTEN_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".gif")
