"""提示语: the page of prompts."""
