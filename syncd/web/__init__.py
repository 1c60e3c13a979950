"""Two listeners that share nothing but the process: callbacks for the world, pages for the operator."""
