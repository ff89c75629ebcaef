// Connect's declarations name this DOM type; the project compiles without the DOM library.
type HeadersInit = NonNullable<ConstructorParameters<typeof Headers>[0]>;
