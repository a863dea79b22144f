"""From a proposal to a finding: review, notice, dispute, decision, publication, scores."""
