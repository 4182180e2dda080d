"""All SQL of the job: the schema, and what a run reads and writes."""
