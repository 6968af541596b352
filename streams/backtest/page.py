"""page"""
def page(report, prices, broken):
    return ""
