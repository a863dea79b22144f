"""录音: the recordings, what is said in them, how long they are kept."""
