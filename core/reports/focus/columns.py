"""The columns of a FOCUS file and their types: those of the specification by alphabet, then our own.

Metrics of the specification are floats in Parquet, because the official validator accepts nothing else there; every
amount of money stands again, exact, in an `x_` column. In CSV all of them are written with all their digits.
"""

from __future__ import annotations

import pyarrow as pa

_TEXT, _TIME = pa.string(), pa.timestamp("us", tz="UTC")
_FLOAT, _USD = pa.float64(), pa.decimal128(38, 12)

_FOCUS: dict[str, pa.DataType] = {
    "AvailabilityZone": _TEXT,
    "BilledCost": _FLOAT,
    "BillingAccountId": _TEXT,
    "BillingAccountName": _TEXT,
    "BillingAccountType": _TEXT,  # 1.2
    "BillingCurrency": _TEXT,
    "BillingPeriodEnd": _TIME,
    "BillingPeriodStart": _TIME,
    "ChargeCategory": _TEXT,
    "ChargeClass": _TEXT,
    "ChargeDescription": _TEXT,
    "ChargeFrequency": _TEXT,
    "ChargePeriodEnd": _TIME,
    "ChargePeriodStart": _TIME,
    "CommitmentDiscountCategory": _TEXT,
    "CommitmentDiscountId": _TEXT,
    "CommitmentDiscountName": _TEXT,
    "CommitmentDiscountStatus": _TEXT,
    "CommitmentDiscountType": _TEXT,
    "ConsumedQuantity": _FLOAT,
    "ConsumedUnit": _TEXT,
    "ContractedCost": _FLOAT,
    "ContractedUnitPrice": _FLOAT,
    "EffectiveCost": _FLOAT,
    "HostProviderName": _TEXT,  # 1.3
    "InvoiceId": _TEXT,  # 1.2
    "InvoiceIssuerName": _TEXT,
    "ListCost": _FLOAT,
    "ListUnitPrice": _FLOAT,
    "PricingCategory": _TEXT,
    "PricingCurrency": _TEXT,  # 1.2
    "PricingCurrencyContractedUnitPrice": _FLOAT,  # 1.2
    "PricingCurrencyEffectiveCost": _FLOAT,  # 1.2
    "PricingCurrencyListUnitPrice": _FLOAT,  # 1.2
    "PricingQuantity": _FLOAT,
    "PricingUnit": _TEXT,
    "ProviderName": _TEXT,
    "PublisherName": _TEXT,
    "RegionId": _TEXT,
    "RegionName": _TEXT,
    "ResourceId": _TEXT,
    "ResourceName": _TEXT,
    "ResourceType": _TEXT,
    "ServiceCategory": _TEXT,
    "ServiceName": _TEXT,
    "ServiceProviderName": _TEXT,  # 1.3
    "ServiceSubcategory": _TEXT,  # 1.1
    "SkuId": _TEXT,
    "SkuMeter": _TEXT,  # 1.1
    "SkuPriceDetails": _TEXT,  # 1.1
    "SkuPriceId": _TEXT,
    "SubAccountId": _TEXT,
    "SubAccountName": _TEXT,
    "SubAccountType": _TEXT,  # 1.2
    "Tags": _TEXT,
}
_FORMER: dict[str, pa.DataType] = {
    "ChargeType": _TEXT,  # ChargeCategory
    "InvoiceIssuer": _TEXT,  # InvoiceIssuerName
    "Provider": _TEXT,  # ProviderName
    "Publisher": _TEXT,  # PublisherName
    "ResourceID": _TEXT,  # ResourceId
}
"""Names of FOCUS 0.5: the official validator's rules for 1.0 still ask for them."""

_OWN: dict[str, pa.DataType] = {
    "x_AccountId": _TEXT,
    "x_CacheTtl": _TEXT,
    "x_EffectiveCost": _USD,
    "x_Engine": _TEXT,
    "x_FunctionName": _TEXT,
    "x_FunctionVersion": _TEXT,
    "x_GrossSavings": _USD,
    "x_InferenceGeo": _TEXT,
    "x_ListCost": _USD,
    "x_Model": _TEXT,
    "x_ModelKnownBy": _TEXT,
    "x_NetSavings": _USD,
    "x_NoCacheCost": _USD,
    "x_Origin": _TEXT,
    "x_PriceBook": _TEXT,
    "x_PriceRow": _TEXT,
    "x_ServiceTier": _TEXT,
    "x_Speed": _TEXT,
    "x_Tenant": _TEXT,
    "x_TokenCount": pa.int64(),
    "x_TokenType": _TEXT,
    "x_TtlKnownBy": _TEXT,
    "x_UnitPriceKind": _TEXT,
    "x_WritePremium": _USD,
}
SCHEMA = pa.schema([pa.field(name, kind) for name, kind in (_FOCUS | _FORMER | _OWN).items()])
"""Every column of the file, in order."""
