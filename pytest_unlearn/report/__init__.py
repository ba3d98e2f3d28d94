"""From the ledger to text: one renderer a file. Renderers see plain dictionaries and nothing else."""
