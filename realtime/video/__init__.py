"""Video files: read frame by frame, painted, written again with their sound and colours, gone on with after a break."""
