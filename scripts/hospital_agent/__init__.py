"""The hospital's upload agent: makes secrets and fingerprints, uploads, checks and signs.

It holds a base URL, its API key and its own ledger key, and trusts the backend with nothing else:
every leaf that it signs for is recomputed from its own documents.
"""

from scripts.hospital_agent.agent import AgentError, HospitalAgent, UploadOutcome
from scripts.hospital_agent.checks import OfferRefusedError
from scripts.hospital_agent.store import AgentStore

__all__ = ["AgentError", "AgentStore", "HospitalAgent", "OfferRefusedError", "UploadOutcome"]
