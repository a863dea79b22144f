"""What was said on a recording: the queue of recordings to transcribe, the transcripts, and the search in them."""
