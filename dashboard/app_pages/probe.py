"""Probe: live experiments against the Claude cache, with the cost shown and agreed to before anything is sent."""

from dashboard import components, data, probe_results, probing

desk = data.probe_desk()
run = desk.last

probing.target()
if run is not None and run.running:
    probing.under_way(run)
else:
    with components.section("probe.offer"):
        probing.offer()
    if run is not None:
        probing.ended(run)
probe_results.show()
