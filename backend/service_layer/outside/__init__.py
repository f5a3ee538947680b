"""Bills from outside the network: handed in, transcribed, checked where the care was, confirmed
where the person is insured; anchored by the agency as issuer (docs/outside-bills.md)."""
