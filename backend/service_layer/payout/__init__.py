"""Money on its way: payable, instruction, the bank's answer."""
