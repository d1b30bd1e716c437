"""Who calls the pipeline: HTTP, the worker loop, the command line. They translate, never decide."""
