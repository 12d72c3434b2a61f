"""The four papers' models and the ensemble, one file each with its hyper-parameters, and their registry."""
