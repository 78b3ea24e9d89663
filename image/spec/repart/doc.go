package repart
