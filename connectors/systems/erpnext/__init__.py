"""ERPNext and other applications of the Frappe framework."""
