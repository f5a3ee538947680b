"""Machine audit (智能审核): rules as data, evaluated over the facts of one claim.

``rule_reader`` turns the JSON of a rule set into :class:`~backend.domain.audit.rule.RuleSet`,
``engine.evaluate`` gives hits and what could not be judged. Everything here is pure.
"""
