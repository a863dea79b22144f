"""What `dutyring bench` measures: a database of any size, and how long the service takes for what is asked of it."""
