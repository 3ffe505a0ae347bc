"""Types of all tensors of a model, found in one run of it.

``trace`` runs a model under a mode that sees every torch function (``record``). A rule for each function
(``functions/``, one family a file, open to users) says what the axes of its result are and states constraints on those
of its arguments; a type is a list of axes (``axes``), each a sum of products of factors, some of them unknown, which
unification binds (``solver``). What no constraint says the policy for hidden features decides (``policy``). Parameters
are tensors like others, and get their types, hence their projectors (``parameters``), from what they meet. Then every
call is repeated on moved arguments (``check``), so that a wrong rule, an unknown function and a grid that is off its
centre are all found by one test.
"""
