"""From the sums of a meter to a row of the specification."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from core.reports.focus.meters import METERS, Meter, charges
from core.reports.request import Desk, Request

_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_DISCOUNT = re.compile(r" -([0-9.]+)%")
_ACCOUNT = re.compile(r"[0-9]{12}")
_TWELVE = Decimal("1e-12")
_SELLERS = {"bedrock": ("AWS", "Amazon Bedrock"), "anthropic": ("Anthropic", "Claude API")}
_TAGS = ("engine", "tenant", "function_name", "function_version")
Row = dict[str, Any]


def rows(desk: Desk, request: Request) -> Iterator[Row]:
    """Return the charges of a range: one for each period, engine, function, model, price and kind of token."""
    period = "hour" if "hour" in request.by else "day"
    for meter in METERS:
        for charge in charges(desk.reader, request.scope, meter, period):
            yield _row(charge, meter, request, timedelta(hours=1) if period == "hour" else timedelta(days=1))


def _row(charge: Row, meter: Meter, request: Request, length: timedelta) -> Row:
    searches = meter.kind == "web_search"
    unit = 1_000 if searches else 1_000_000
    noun = "Requests" if searches else "Tokens"
    quantity, cost, no_cache = Decimal(charge["quantity"]), _usd(charge["cost"]), _usd(charge["no_cache"])
    priced = _EXACT.divide(quantity, unit)
    price = _unit_price(charge, unit)
    list_price = _list_price(price, charge["price_row"])
    list_cost = cost if list_price == price else _EXACT.multiply(list_price, priced)
    seller, service = _SELLERS.get(charge["provider"] or "", ("Anthropic", "Claude API"))
    bedrock = seller == "AWS"
    start = charge["bucket"]
    first, after = _month(start)
    net = no_cache - cost
    return {
        "AvailabilityZone": None,
        "BilledCost": cost,
        "BillingAccountId": _account(request.billing_account or (charge["account"] if bedrock else None)) or "unknown",
        "BillingAccountName": None,
        "BillingAccountType": None,
        "BillingCurrency": "USD",
        "BillingPeriodEnd": after,
        "BillingPeriodStart": first,
        "ChargeCategory": "Usage",
        "ChargeClass": None,
        "ChargeDescription": f"{charge['model_id']}, {meter.label}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": start + length,
        "ChargePeriodStart": start,
        "ConsumedQuantity": quantity,
        "ConsumedUnit": noun,
        "ContractedCost": cost,
        "ContractedUnitPrice": price,
        "EffectiveCost": cost,
        "HostProviderName": seller,
        "InvoiceIssuerName": seller,
        "ListCost": list_cost,
        "ListUnitPrice": list_price,
        "PricingCategory": "Standard",
        "PricingCurrency": "USD",
        "PricingCurrencyContractedUnitPrice": price,
        "PricingCurrencyEffectiveCost": cost,
        "PricingCurrencyListUnitPrice": list_price,
        "PricingQuantity": priced,
        "PricingUnit": f"{unit} {noun}",
        "ProviderName": seller,
        "PublisherName": "Anthropic",
        "RegionId": charge["region"] if bedrock else None,
        "RegionName": charge["region"] if bedrock else None,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": service,
        "ServiceProviderName": seller,
        "ServiceSubcategory": "Generative AI",
        "SkuId": f"{charge['model_id']}/{meter.kind}",
        "SkuMeter": meter.label.capitalize(),
        "SkuPriceDetails": _json(_details(charge, meter)),
        "SkuPriceId": _price_id(charge, meter),
        "SubAccountId": _account(charge["account"] if bedrock else None),
        "Tags": _json({name: charge[name] for name in _TAGS if charge[name]}),
        "ChargeType": "Usage",
        "InvoiceIssuer": seller,
        "Provider": seller,
        "Publisher": "Anthropic",
        "x_AccountId": charge["account"],
        "x_CacheTtl": charge["cache_ttl"],
        "x_EffectiveCost": cost,
        "x_Engine": charge["engine"],
        "x_FunctionName": charge["function_name"],
        "x_FunctionVersion": charge["function_version"],
        "x_GrossSavings": net if meter.kind == "cache_read" else _usd(0),
        "x_InferenceGeo": charge["inference_geo"],
        "x_ListCost": list_cost.quantize(_TWELVE, context=_EXACT),
        "x_Model": charge["model_id"],
        "x_ModelKnownBy": charge["model_known_by"],
        "x_NetSavings": net,
        "x_NoCacheCost": no_cache,
        "x_Origin": "demo" if request.demo else "logs",
        "x_PriceBook": charge["price_book"],
        "x_PriceRow": charge["price_row"],
        "x_ServiceTier": charge["service_tier"],
        "x_Speed": charge["speed"],
        "x_Tenant": charge["tenant"],
        "x_TokenCount": None if searches else charge["quantity"],
        "x_TokenType": meter.kind,
        "x_TtlKnownBy": charge["ttl_known_by"],
        "x_UnitPriceKind": "average" if charge["rate"] is None else "exact",
        "x_WritePremium": -net if meter.kind.startswith("cache_write") else _usd(0),
    }


def _unit_price(charge: Row, unit: int) -> Decimal:
    """Return the price of one pricing unit; of calls whose steps had several prices, their average."""
    if charge["rate"] is not None:
        return _EXACT.scaleb(Decimal(charge["rate"] * unit), -12)
    return _EXACT.divide(Decimal(charge["cost"] * unit), charge["quantity"] * 10**12)


def _list_price(price: Decimal, price_row: str | None) -> Decimal:
    """Return the price before the discounts that the price row names; a negotiated row is its own list price."""
    for percent in _DISCOUNT.findall(price_row or ""):
        kept = _EXACT.divide(100 - Decimal(percent), 100)
        price = _EXACT.divide(price, kept).quantize(_TWELVE, context=_EXACT) if kept else price
    return price


def _price_id(charge: Row, meter: Meter) -> str:
    """Name one unit price: the row of the price book, the kind of token, what changes the price, and the price."""
    told = [charge[name] for name in ("service_tier", "speed", "inference_geo") if charge[name]]
    rate = "average" if charge["rate"] is None else str(charge["rate"])
    return "/".join([charge["price_row"] or charge["model_id"] or "unknown", meter.kind, *told, rate])


def _details(charge: Row, meter: Meter) -> Row:
    names = {"service_tier": "x_ServiceTier", "speed": "x_Speed", "inference_geo": "x_InferenceGeo"}
    told = {key: charge[name] for name, key in names.items() if charge[name]}
    lifetime = {"x_CacheTtl": charge["cache_ttl"]} if charge["cache_ttl"] else {}
    return {"x_TokenType": meter.kind, **lifetime, **told}


def _account(number: str | None) -> str | None:
    """Name an AWS account by its ARN: readers of CSV, the validator too, take twelve digits for a number."""
    return f"arn:aws:iam::{number}:root" if number and _ACCOUNT.fullmatch(number) else number


def _json(value: Row) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _month(moment: datetime) -> tuple[datetime, datetime]:
    first = datetime(moment.year, moment.month, 1, tzinfo=UTC)
    return first, (first + timedelta(days=32)).replace(day=1)


def _usd(picodollars: int) -> Decimal:
    return _EXACT.scaleb(Decimal(picodollars), -12)
