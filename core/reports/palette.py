"""The colours of reports: the four token kinds and gain and loss, the same as on the pages (a test compares them)."""

READ, WRITE_5M, WRITE_1H, UNCACHED = "#1B86D8", "#C98500", "#C20A41", "#90959A"
OUTPUT, TOOLS = "#2F9E77", "#8067C9"
GAIN, LOSS = "#2F9E77", "#D1603D"
INK, RULE = "#1F2933", "#C7CED6"

COST_KINDS = {
    "cache_read_cost_usd": READ,
    "cache_write_5m_cost_usd": WRITE_5M,
    "cache_write_1h_cost_usd": WRITE_1H,
    "input_cost_usd": UNCACHED,
    "output_cost_usd": OUTPUT,
    "tools_cost_usd": TOOLS,
}
